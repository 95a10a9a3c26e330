// SPDX-License-Identifier: Apache-2.0
// The streams of one HTTP server: a connection sleeps while its stream has nothing to say.
//
//              read gives bytes, or a wake came meanwhile
//                    ┌──────┐
//   on_open ─▶ READING ◀────┘──────── read gives -1, the client is gone, the server ends ─▶
//   on_close
//               │   ▲
//   read gives 0│   │wake, client gone, server ends
//               ▼   │
//              ASLEEP    (suspended: libmicrohttpd leaves the connection alone)
//
// libmicrohttpd does not notice that the client of a suspended connection went away, so a watcher
// thread waits for that and wakes the stream.
#ifndef ABACUS_TELEMETRY_HTTP_STREAM_H
#define ABACUS_TELEMETRY_HTTP_STREAM_H

#include "telemetry/http.h"

#include <microhttpd.h>

struct http_streams;

struct http_streams *http_streams_create(void);
void http_streams_destroy(struct http_streams *streams); // when all have been closed

// Ends all streams, also those that begin later: from now on none sleeps. Any thread.
void http_streams_end(struct http_streams *streams);

struct http_stream_source {
    int64_t (*read)(void *ctx, char *out, size_t max);
    void (*on_open)(void *ctx, struct http_stream *stream);
    void (*on_close)(void *ctx);
    void *ctx;
};

// The response whose body the source writes; on_open has been called, on_close will be when the
// response is destroyed. silent: the body is not wanted (HEAD). Owned.
struct MHD_Response *http_stream_response(struct http_streams *streams,
                                          struct MHD_Connection *connection,
                                          const struct http_stream_source *source, bool silent);

#endif
