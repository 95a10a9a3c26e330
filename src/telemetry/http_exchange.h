// SPDX-License-Identifier: Apache-2.0
// One request and its answer, between the server that runs handlers (http.c) and what handlers
// call (http_exchange.c). Lives on the stack of the server's thread.
#ifndef ABACUS_TELEMETRY_HTTP_EXCHANGE_H
#define ABACUS_TELEMETRY_HTTP_EXCHANGE_H

#include "telemetry/http.h"
#include "telemetry/http_path.h"
#include "telemetry/http_stream.h"

#include <microhttpd.h>

#define HTTP_HEADERS_MAX 16 // that a handler adds

struct http_added_header {
    const char *name; // borrowed
    char *value;      // owned
};

struct http_exchange {
    struct MHD_Connection *connection;
    struct http_streams *streams;
    struct http_target target;
    char *variable; // decoded; NULL: the route has none
    bool head;      // the body is not wanted
    bool closing;   // the server is about to end: ask the client to come back elsewhere
    struct http_added_header headers[HTTP_HEADERS_MAX];
    size_t headers_count;
    // the outcome
    bool answered;
    int status;
    enum MHD_Result queued; // MHD_NO: the connection must be closed
};

void http_exchange_clear(struct http_exchange *exchange);

#endif
