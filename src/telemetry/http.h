// SPDX-License-Identifier: Apache-2.0
// telemetry: how the services are seen from outside. Reading order, of what others call and of what
// is behind it:
//
//   metrics  metrics_table.h (all there is to measure), metrics.h ▸ metrics_state.h
//   traces   context.h (W3C trace context), trace.h ▸ otel_config.h (the environment), otlp.h,
//            span_queue.h, exporter.h, otlp_http.h
//   HTTP     http.h (a small server, also under the REST service), readiness.h, admin.h
//            ▸ http_exchange.h, http_record.h, http_stream.h
//
// Uses base, and proto for OTLP's messages.
//
// http.h: HTTP/1.1 by libmicrohttpd with a table of routes. create, destroy: main; handlers run on
// any of its threads, several at once, and must not block. What is not a handler's business is
// answered as a problem: 400, 404, 405, and 411 or 413 for a body (GET takes none, others drop up
// to 64 KiB). Memory is bounded by connections_max; more connections wait in the kernel.
#ifndef ABACUS_TELEMETRY_HTTP_H
#define ABACUS_TELEMETRY_HTTP_H

#include "base/base.h"
#include "base/err.h"

struct http_server;
struct http_exchange; // one request and its answer; lives until the handler returns

// path: exact ("/v1/total") or with one last variable part ("/v1/sources/{source}").
// A HEAD request is answered by the GET route without the body. The first route that fits answers.
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
    int drain_ms;        // 0: 2000, which answers in flight get when the server ends
    const char *name;    // in metrics: "rest", "admin"; borrowed
    bool traced;         // requests have spans, when tracing is on
};

// routes are copied, their texts and ctx borrowed. *out: owned, end with http_server_destroy.
// ERR_BUSY: the port is taken. ERR_INVALID: the address is none of this machine's.
MUST_USE bool http_server_create(struct http_server **out, const struct http_config *config,
                                 const struct http_route *routes, size_t count, struct err *err);
int http_server_port(const struct http_server *server);
// Stops accepting, ends all streams, and gives answers in flight drain_ms. Each stream's
// on_close has been called when it returns. Not from a handler.
void http_server_destroy(struct http_server *server);

// --- the request; NULL: not there; borrowed for the exchange ---
const char *http_variable(const struct http_exchange *exchange); // decoded {…} part of the path
const char *http_query(const struct http_exchange *exchange, const char *name);
const char *http_header(const struct http_exchange *exchange, const char *name);

// --- the answer ---
// name: borrowed until the answer; value: copied, without control characters. At most 16.
void http_header_add(struct http_exchange *exchange, const char *name, const char *value);
// The body is copied; content_type NULL: none. Give a 304 the body that a 200 would have had: it is
// not sent, but its length is told.
void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const void *body, size_t length);
// RFC 9457 application/problem+json; the title is the status's.
void http_problem(struct http_exchange *exchange, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

// An endless answer with status 200, e.g. Server-Sent Events. ctx is the stream's from this call
// until on_close, which is called exactly once and frees it; that may be before this returns.
// on_open: once, before the first read, within this call.
// read: fills up to max bytes (as little as 100) and returns how many; 0: nothing now, it is called
//   again after the next wake; -1: the end.
// on_close: the end was reached, the client went away (nobody needs to write for that to be
//   noticed), or the server ends. A HEAD request opens and closes without a read.
struct http_stream;
void http_answer_stream(struct http_exchange *exchange, const char *content_type,
                        int64_t (*read)(void *ctx, char *out, size_t max),
                        void (*on_open)(void *ctx, struct http_stream *stream),
                        void (*on_close)(void *ctx), void *ctx);

// Any thread, from the beginning of on_open to the end of on_close. Wakes coalesce, and one that
// comes while read runs is not lost. How an owner of many streams keeps to that: it lists them
// under a lock of its own, adds in on_open, removes in on_close, and wakes those in the list, all
// with its lock held. That cannot deadlock: no lock that a wake takes is held while read, on_open
// or on_close run. Only http_answer_stream itself must be called without the owner's lock.
void http_stream_wake(struct http_stream *stream);

#endif
