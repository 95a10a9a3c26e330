// SPDX-License-Identifier: Apache-2.0
#include "totals/rest.h"

#include "totals/etag.h"
#include "totals/json.h"
#include "openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "application/json"

struct rest {
    // fixed after create
    struct ledger *ledger;      // borrowed
    struct consumer *consumer;  // borrowed
    struct stream_hub *streams; // borrowed
    struct http_server *server; // owned
};

static void answer_json(struct http_exchange *exchange, struct bytes *body)
{
    http_header_add(exchange, "Cache-Control", "no-cache");
    http_answer(exchange, 200, JSON, body->data, body->length);
    bytes_clear(body);
}

// --- /v1/total ---

// The tag changes with every commit, so a client that has it has the total. A 304 repeats the
// header fields of the 200 (RFC 9110 §15.4.5); its length is that of the body it stands for (§8.6),
// which the server leaves out.
static void on_total(struct http_exchange *exchange, void *ctx)
{
    struct rest *rest = ctx;
    struct ledger_total total;
    ledger_total(rest->ledger, &total);
    char tag[JSON_TAG_BYTES], etag[JSON_TAG_BYTES + 2], body[JSON_TOTAL_BYTES];
    json_tag(tag, &total);
    snprintf(etag, sizeof(etag), "\"%s\"", tag);
    http_header_add(exchange, "ETag", etag);
    http_header_add(exchange, "Cache-Control", "no-cache");
    const char *known = http_header(exchange, "If-None-Match");
    const bool same = known != NULL && etag_matches(known, etag);
    http_answer(exchange, same ? 304 : 200, JSON, body, json_total(body, &total));
}

static void on_stream(struct http_exchange *exchange, void *ctx)
{
    struct rest *rest = ctx;
    stream_hub_serve(rest->streams, exchange);
}

// --- /v1/sources ---
static void on_sources(struct http_exchange *exchange, void *ctx)
{
    struct rest *rest = ctx;
    struct ledger_source *list;
    const size_t count = ledger_sources(rest->ledger, &list);
    struct bytes body = {0};
    bytes_append_text(&body, "{\"sources\":[");
    for (size_t i = 0; i < count; i++) {
        bytes_append_text(&body, i > 0 ? "," : "");
        json_source(&body, &list[i]);
    }
    bytes_append_text(&body, "]}");
    ledger_sources_free(list, count);
    answer_json(exchange, &body);
}

static void on_source(struct http_exchange *exchange, void *ctx)
{
    struct rest *rest = ctx;
    const char *id = http_variable(exchange);
    struct uuid source;
    struct ledger_source *one;
    if (!uuid_parse(id, strlen(id), &source)) {
        http_problem(exchange, 400, "a source is named by its UUID");
    } else if (!ledger_source(rest->ledger, &source, &one)) {
        http_problem(exchange, 404, "no event of source %s was ever applied", source.text);
    } else {
        struct bytes body = {0};
        json_source(&body, one);
        ledger_sources_free(one, 1);
        answer_json(exchange, &body);
    }
}

// --- /v1/partitions ---
static struct json_partition *partition_entry(struct json_partition *list, size_t *count,
                                              int32_t partition)
{
    for (size_t i = 0; i < *count; i++) {
        if (list[i].ledger.partition == partition)
            return &list[i];
    }
    list[*count] = (struct json_partition){
        .ledger = {.partition = partition, .next_offset = -1},
        .settled_offset = -1,
        .end_offset = -1,
        .end_age_ms = -1,
    };
    return &list[(*count)++];
}

static int by_partition(const void *left, const void *right)
{
    const struct json_partition *a = left, *b = right;
    return (a->ledger.partition > b->ledger.partition) -
           (a->ledger.partition < b->ledger.partition);
}

// What the ledger knows and what is assigned now, joined: either may have what the other has not.
static size_t partitions_join(struct rest *rest, struct json_partition **out)
{
    struct ledger_partition *known;
    struct consumer_partition *assigned;
    const size_t known_count = ledger_partitions(rest->ledger, &known);
    const size_t assigned_count = consumer_partitions(rest->consumer, &assigned);
    struct json_partition *list = xcalloc(known_count + assigned_count + 1, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < known_count; i++)
        partition_entry(list, &count, known[i].partition)->ledger = known[i];
    for (size_t i = 0; i < assigned_count; i++) {
        struct json_partition *one = partition_entry(list, &count, assigned[i].partition);
        one->assigned = true;
        one->settled_offset = assigned[i].settled_offset;
        one->end_offset = assigned[i].end_offset;
        one->end_age_ms = assigned[i].end_age_ms;
    }
    qsort(list, count, sizeof(*list), by_partition);
    free(known);
    free(assigned);
    *out = list;
    return count;
}

static void on_partitions(struct http_exchange *exchange, void *ctx)
{
    struct json_partition *list;
    const size_t count = partitions_join(ctx, &list);
    struct bytes body = {0};
    bytes_append_text(&body, "{\"partitions\":[");
    for (size_t i = 0; i < count; i++) {
        bytes_append_text(&body, i > 0 ? "," : "");
        json_partition(&body, &list[i]);
    }
    bytes_append_text(&body, "]}");
    free(list);
    answer_json(exchange, &body);
}

static void on_openapi(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_answer(exchange, 200, JSON, openapi, openapi_length);
}

// --- life ---
bool rest_create(struct rest **out, const struct rest_config *config, struct ledger *ledger,
                 struct consumer *consumer, struct err *err)
{
    struct rest *rest = xcalloc(1, sizeof(*rest));
    *rest = (struct rest){.ledger = ledger, .consumer = consumer, .streams = config->streams};
    const struct http_route routes[] = {
        {"GET", "/v1/total", on_total, rest},
        {"GET", "/v1/total/stream", on_stream, rest},
        {"GET", "/v1/sources", on_sources, rest},
        {"GET", "/v1/sources/{source}", on_source, rest},
        {"GET", "/v1/partitions", on_partitions, rest},
        {"GET", "/openapi.json", on_openapi, rest},
    };
    const struct http_config http = {.address = config->address,
                                     .port = config->port,
                                     .threads = config->threads,
                                     .connections_max = config->connections_max,
                                     .name = "rest",
                                     .traced = true};
    if (!http_server_create(&rest->server, &http, routes, COUNT_OF(routes), err)) {
        free(rest);
        return false;
    }
    *out = rest;
    return true;
}

int rest_port(const struct rest *rest)
{
    return http_server_port(rest->server);
}

void rest_destroy(struct rest *rest)
{
    if (rest == NULL)
        return;
    stream_hub_end(rest->streams);
    http_server_destroy(rest->server);
    free(rest);
}
