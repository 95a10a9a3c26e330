// SPDX-License-Identifier: Apache-2.0
// The connection to the collector: one POST at a time over a connection that is kept alive.
// open, close: main; post: the exporter's thread; cut: any.
#ifndef ABACUS_TELEMETRY_OTLP_HTTP_H
#define ABACUS_TELEMETRY_OTLP_HTTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "telemetry/otel_config.h"

// Of its body, and of its headers: an answer is a few bytes; an error page may be some more.
#define OTLP_ANSWER_BYTES_MAX 65536

#define OTLP_ERROR_TYPE_BYTES 16

struct otlp_http;

// config: borrowed until close. *out: owned. ERR_NOT_FOUND: there is no libcurl.
MUST_USE bool otlp_http_open(struct otlp_http **out, const struct otel_config *config,
                             struct err *err);
void otlp_http_close(struct otlp_http *http);

struct otlp_reply {
    long status;                // of HTTP; 0: there is none
    bool unsent;                // the connection failed or broke: the same may be sent again
    int64_t retry_after_s;      // 0: not asked for
    char trouble[ERR_TEXT_MAX]; // "" with a status
    char error_type[OTLP_ERROR_TYPE_BYTES]; // a word for metrics: "503", "connection", "timeout"
    const struct bytes *body;               // as much as OTLP_ANSWER_BYTES_MAX; until the next post
};

// Blocks until the answer, at most until end_mono_ns or the time of otlp_http_cut.
void otlp_http_post(struct otlp_http *http, const struct bytes *request, int64_t end_mono_ns,
                    struct otlp_reply *reply);

// From now on no post goes on beyond that time.
void otlp_http_cut(struct otlp_http *http, int64_t end_mono_ns);

#endif
