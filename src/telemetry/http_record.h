// SPDX-License-Identifier: Apache-2.0
// What is recorded of a request when its answer is over: its duration by route, method and status,
// and its span if it is traced. Between http.c and the metrics and spans. Any of the server's
// threads; about 50 ns a request, nearly all of them for reading the clock twice.
#ifndef ABACUS_TELEMETRY_HTTP_RECORD_H
#define ABACUS_TELEMETRY_HTTP_RECORD_H

#include "telemetry/http.h"

#include <microhttpd.h>

// One for each server.
struct http_recorder;

// routes: the server's, borrowed until destroy. traced: whether requests may have spans.
struct http_recorder *http_recorder_create(const struct http_route *routes, bool traced);
void http_recorder_destroy(struct http_recorder *recorder);

// One request; zeroed before http_record_begin. The server sets route and status.
struct http_record {
    int64_t begin_mono_ns;
    const struct http_route *route; // NULL: none matched
    int status;                     // 0: not answered
    // http_record.c only
    size_t method;
    bool http_1_0;
    char *path; // owned; NULL: not traced
};

// Its first line has been read.
void http_record_begin(struct http_record *record);
// Its head has been read.
void http_record_head(struct http_record *record, const char *method, const char *version);
// Its target is well-formed; path: not decoded yet.
void http_record_path(const struct http_recorder *recorder, struct http_record *record,
                      const char *path);
// The answer is written or given up: records and frees.
void http_record_end(struct http_recorder *recorder, struct http_record *record,
                     struct MHD_Connection *connection);

#endif
