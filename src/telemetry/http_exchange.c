// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http_exchange.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_BYTES 512

// --- the request ---
const char *http_variable(const struct http_exchange *exchange)
{
    return exchange->variable;
}

const char *http_query(const struct http_exchange *exchange, const char *name)
{
    return http_target_query(&exchange->target, name);
}

const char *http_header(const struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

// --- the answer ---
void http_header_add(struct http_exchange *exchange, const char *name, const char *value)
{
    CHECK_INT(exchange->headers_count, <, HTTP_HEADERS_MAX);
    exchange->headers[exchange->headers_count++] = (struct http_added_header){
        .name = name,
        .value = xstrdup(value),
    };
}

void http_exchange_clear(struct http_exchange *exchange)
{
    for (size_t i = 0; i < exchange->headers_count; i++)
        free(exchange->headers[i].value);
}

static void response_header(struct MHD_Response *response, const char *name, const char *value)
{
    CHECK(MHD_add_response_header(response, name, value) == MHD_YES);
}

// Takes the response.
static void queue(struct http_exchange *exchange, int status, const char *content_type,
                  struct MHD_Response *response)
{
    CHECK(!exchange->answered); // a second answer
    CHECK(response != NULL && status >= 200 && status <= 599);
    if (content_type != NULL)
        response_header(response, "Content-Type", content_type);
    for (size_t i = 0; i < exchange->headers_count; i++)
        response_header(response, exchange->headers[i].name, exchange->headers[i].value);
    if (exchange->closing)
        response_header(response, "Connection", "close");
    exchange->answered = true;
    exchange->status = status;
    exchange->queued = MHD_queue_response(exchange->connection, (unsigned)status, response);
    MHD_destroy_response(response);
}

void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const void *body, size_t length)
{
    queue(exchange, status, content_type,
          MHD_create_response_from_buffer(length, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY));
}

static void append_text_json(struct bytes *out, const char *text)
{
    bytes_append_json_string(out, text, strlen(text));
}

void http_problem(struct http_exchange *exchange, int status, const char *fmt, ...)
{
    char detail[DETAIL_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    struct bytes json = {0};
    bytes_append_text(&json, "{\"type\":\"about:blank\",\"title\":");
    append_text_json(&json, MHD_get_reason_phrase_for((unsigned)status));
    bytes_printf(&json, ",\"status\":%d,\"detail\":", status);
    append_text_json(&json, detail);
    bytes_append_text(&json, "}");
    http_answer(exchange, status, "application/problem+json", json.data, json.length);
    bytes_clear(&json);
}

void http_answer_stream(struct http_exchange *exchange, const char *content_type,
                        int64_t (*read)(void *ctx, char *out, size_t max),
                        void (*on_open)(void *ctx, struct http_stream *stream),
                        void (*on_close)(void *ctx), void *ctx)
{
    const struct http_stream_source source = {read, on_open, on_close, ctx};
    queue(exchange, MHD_HTTP_OK, content_type,
          http_stream_response(exchange->streams, exchange->connection, &source, exchange->head));
}
