// SPDX-License-Identifier: Apache-2.0
// telemetry: how the services are seen from outside. Reading order: context.h (W3C trace context),
// readiness.h, http.h (the small HTTP server, also under the REST service), admin.h.
// Uses base only.
//
// http.h: HTTP/1.1 by libmicrohttpd with a table of routes. create, stop, destroy: main; handlers
// run on any of its threads, several at once, and must not block.
#ifndef ABACUS_TELEMETRY_HTTP_H
#define ABACUS_TELEMETRY_HTTP_H

#include "base/base.h"
#include "base/err.h"

struct http_server;
struct http_exchange; // one request and its answer; lives until the handler returns

// path: exact ("/v1/total") or with one last variable part ("/v1/sources/{source}").
// A HEAD request is answered by the GET route without the body.
struct http_route {
    const char *method; // "GET", "POST"
    const char *path;
    void (*on_request)(struct http_exchange *exchange, void *ctx); // must answer exactly once
    void *ctx;
};

struct http_config {
    const char *address;
    int port;            // 0: a free one, see http_server_port
    int threads;         // 1..64
    int connections_max; // 0: 2000
    int idle_timeout_s;  // 0: 60
};

// routes are copied, their texts and ctx borrowed. ERR_BUSY: the port is taken.
MUST_USE bool http_server_create(struct http_server **out, const struct http_config *config,
                                 const struct http_route *routes, size_t count, struct err *err);
int http_server_port(const struct http_server *server);
// Stops accepting and lets answers in flight finish (bounded); streams must have been ended.
void http_server_destroy(struct http_server *server);

// --- the request; NULL: not there; borrowed for the exchange ---
const char *http_variable(const struct http_exchange *exchange); // decoded {…} part of the path
const char *http_query(const struct http_exchange *exchange, const char *name);
const char *http_header(const struct http_exchange *exchange, const char *name);

// --- the answer ---
void http_header_add(struct http_exchange *exchange, const char *name, const char *value);
void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const void *body, size_t length); // body is copied
// RFC 9457 application/problem+json; the title is the status's.
void http_problem(struct http_exchange *exchange, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
// An endless answer, e.g. Server-Sent Events. read fills up to max bytes and returns how many;
// 0: nothing now, the connection sleeps until http_stream_wake; -1: the end. on_close frees ctx
// (the client went away or the end was reached). read and on_close come from a server thread.
struct http_stream;
void http_answer_stream(struct http_exchange *exchange, const char *content_type,
                        int64_t (*read)(void *ctx, char *out, size_t max),
                        void (*on_open)(void *ctx, struct http_stream *stream),
                        void (*on_close)(void *ctx), void *ctx);
void http_stream_wake(struct http_stream *stream); // any thread, between on_open and on_close

#endif
