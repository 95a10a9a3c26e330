// SPDX-License-Identifier: Apache-2.0
#include "adder/admin_routes.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/int128.h"

#include <inttypes.h>
#include <string.h>

// 64- and 128-bit integers are decimal strings (ProtoJSON's rule).
static void on_source(struct http_exchange *exchange, void *arg)
{
    const struct admin_routes_context *context = arg;
    struct outbox_stats stats;
    outbox_stats(context->outbox, &stats);
    struct relay_status status;
    relay_status(context->relay, &status);
    char sum[INT128_TEXT_BYTES];
    int128_format(sum, stats.sum);
    struct bytes body = {0};
    bytes_printf(&body,
                 "{\"source\":\"%s\",\"count\":\"%" PRId64 "\",\"sum\":\"%s\","
                 "\"published\":\"%" PRId64 "\",\"backlog\":\"%" PRId64 "\",\"partition\":%" PRId32,
                 stats.source.text, stats.appended, sum, stats.published,
                 stats.appended - stats.published, stats.partition);
    if (stats.oldest_unix_us > 0) {
        char oldest[CLOCK_RFC3339_BYTES];
        clock_format_rfc3339(oldest, stats.oldest_unix_us);
        bytes_printf(&body, ",\"oldest_accepted_at\":\"%s\"", oldest);
    }
    bytes_append_text(&body, ",\"kafka\":");
    const char *kafka = status.connected ? "ok" : status.trouble;
    bytes_append_json_string(&body, kafka, strlen(kafka));
    bytes_append_text(&body, "}");
    http_header_add(exchange, "Cache-Control", "no-store");
    http_answer(exchange, 200, "application/json", body.data, body.length);
    bytes_clear(&body);
}

static void on_replay(struct http_exchange *exchange, void *arg)
{
    const struct admin_routes_context *context = arg;
    const char *from = http_query(exchange, "from");
    int64_t sequence;
    if (from == NULL || !int64_parse(from, strlen(from), &sequence) || sequence < 1) {
        http_problem(exchange, 400, "from: which sequence, 1 or more, to publish again from");
        return;
    }
    struct err err;
    if (relay_replay(context->relay, sequence, &err)) {
        http_answer(exchange, 202, "application/json", "{}", 2);
        return;
    }
    http_problem(exchange, err.code == ERR_NOT_FOUND ? 404 : 503, "%s", err.text);
}

void admin_routes(struct admin_routes_context *context, struct http_route out[ADMIN_ROUTES])
{
    out[0] = (struct http_route){"GET", "/source", on_source, context};
    out[1] = (struct http_route){"POST", "/replay", on_replay, context};
}
