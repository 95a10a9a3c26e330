// SPDX-License-Identifier: Apache-2.0
// Inside the client: a channel, its connection and its calls. The loop's thread only.
//
//   CONNECTING ──peer's SETTINGS──▶ OPEN ──GOAWAY, stream ids used up──▶ LEAVING ──▶ CLOSED
//        └───────────────── connect timeout, connection lost ─────────────────────────▶┘
//
// A call first waits in the channel: for the connection, for room under the peer's stream limit.
// At the end of the loop's turn those that fit become HTTP/2 streams, and all their frames leave
// in one write. LEAVING: calls that wait are given back, calls on streams may finish.
#ifndef ABACUS_GRPC_CHANNEL_H
#define ABACUS_GRPC_CHANNEL_H

#include "base/bytes.h"
#include "grpc/client.h"
#include "grpc/transport.h"
#include "grpc/wheel.h"

#include <event2/event_struct.h>
#include <nghttp2/nghttp2.h>

struct addrinfo;

#define GRPC_TRACEPARENT_BYTES 56 // W3C trace context, version 00, with its end

struct grpc_request {
    TAILQ_ENTRY(grpc_request) links; // in waiting, or in open
    struct grpc_timed timed;
    struct grpc_channel *channel;
    int32_t stream_id; // 0: it waits
    bool done;         // on_done was called; only the stream is left
    // what the server answered
    bool ended; // properly, by END_STREAM
    bool grpc;  // its content-type says so
    int http_status;
    int grpc_status; // -1: none came
    size_t fields_bytes;
    uint32_t messages_count;
    struct bytes text, details; // as they came
    // what the caller gave
    const char *path; // borrowed until on_done
    void (*on_done)(const struct grpc_result *result, void *ctx);
    void *ctx;
    char traceparent[GRPC_TRACEPARENT_BYTES]; // "": none
    size_t framed_bytes, framed_at;           // so much of it is in frames
    struct grpc_reader reader;                // not zeroed
    uint8_t framed[];                         // prefix and message
};
TAILQ_HEAD(grpc_request_list, grpc_request);

enum grpc_channel_state {
    GRPC_CHANNEL_CONNECTING,
    GRPC_CHANNEL_OPEN,
    GRPC_CHANNEL_LEAVING,
    GRPC_CHANNEL_CLOSED,
};

struct grpc_channel {
    // fixed after create
    struct event_base *base;
    struct grpc_channel_config config; // host and port: not to be used
    char *name, *authority;            // owned: "host port 50051", "host:50051"
    // the connection
    enum grpc_channel_state state;
    struct addrinfo *addresses, *address; // owned while CONNECTING; the one being tried
    struct grpc_transport transport;
    nghttp2_session *session; // owned; NULL until connected
    struct event readable, writable, connecting, turning, ticking;
    bool dirty;          // `turning` is active
    struct bytes output; // frames that the socket did not take yet
    size_t output_at;    // so much of it is gone
    struct err why;      // LEAVING, CLOSED: the reason
    // calls
    struct grpc_request_list waiting, open;
    size_t streams_count;        // open ones
    struct grpc_request *recent; // the last one looked up: frames of a stream come in runs
    struct grpc_wheel wheel;
    bool tick_pending;
};

// --- client.c ---
// Something is to be sent when this turn of the loop ends.
void grpc_channel_touch(struct grpc_channel *c);
// No new calls from here on.
void grpc_channel_leave(struct grpc_channel *c, const char *why);
void grpc_channel_ready(struct grpc_channel *c); // the peer's SETTINGS came

// --- client_session.c ---
nghttp2_session *grpc_channel_session(struct grpc_channel *c);

// --- request.c: a call, in the order of its life ---
struct grpc_request *grpc_request_create(struct grpc_channel *c, const struct grpc_call_spec *spec);
// From waiting to a stream. False: the connection has no more stream ids.
MUST_USE bool grpc_request_submit(struct grpc_request *r);
// False: the answer's fields are too many.
MUST_USE bool grpc_request_field(struct grpc_request *r, struct grpc_slice name,
                                 struct grpc_slice value);
void grpc_request_data(struct grpc_request *r, struct grpc_slice data);
// Ends a call by our own decision. One that waits is freed; a stream is reset and freed later.
void grpc_request_abandon(struct grpc_request *r, enum grpc_status status, const char *text);
// The stream is closed: on_done unless it was called, and the end of r.
void grpc_request_close(struct grpc_request *r, uint32_t http2_error);
// The connection is gone; on_done unless it was called, and the end of r.
void grpc_request_lose(struct grpc_request *r, enum grpc_status status, const char *text);

#endif
