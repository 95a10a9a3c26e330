// SPDX-License-Identifier: Apache-2.0
// Inside the server: one HTTP/2 connection, its socket, its limits and its end. Loop's thread only.
//
//   OPEN ──drain──▶ NOTICED ──PING answered, or 5 s──▶ FINAL ──no streams left──▶ ENDING ──▶ CLOSED
//     └───────────────────── the peer breaks a rule ─────────────────────────────▶┘   (1 s)
//
// NOTICED: GOAWAY with the highest stream id is sent, new calls are still welcome, since they may
// have been on their way (RFC 9113 §6.8). FINAL: the real GOAWAY is sent. ENDING: nothing more is
// written; what the peer still sends is thrown away, so that the kernel does not destroy our last
// words by a reset. CLOSED: no socket; the memory stays until the last handler has answered.
#ifndef ABACUS_GRPC_CONNECTION_H
#define ABACUS_GRPC_CONNECTION_H

#include "grpc/guard.h"
#include "grpc/loop.h"
#include "grpc/transport.h"

#include <event2/event_struct.h>

enum grpc_connection_state {
    GRPC_CONN_OPEN,
    GRPC_CONN_NOTICED,
    GRPC_CONN_FINAL,
    GRPC_CONN_ENDING,
    GRPC_CONN_CLOSED,
};

LIST_HEAD(grpc_call_list, grpc_call);

struct grpc_connection {
    struct grpc_loop *loop;
    LIST_ENTRY(grpc_connection) links, dirty_links;
    enum grpc_connection_state state;
    bool dirty, established, reading, advertised;
    bool broken;              // a rule was broken: GOAWAY is queued, nothing more is accepted
    const char *drain_reason; // static
    struct grpc_transport transport;
    nghttp2_session *session; // owned
    struct event readable, writable;
    struct bytes unsent;  // what the socket did not take
    size_t unsent_at;     // so much of it is gone
    size_t queued_bytes;  // of answers, not yet in a frame
    size_t request_bytes; // of requests, not yet with a handler
    // calls
    struct grpc_call_list calls;
    struct grpc_call *recent;            // the last one looked up: fields and data come in runs
    size_t streams_count, running_count; // open streams; handlers that owe an answer
    // limits
    struct grpc_budget resets;
    struct grpc_ping_guard pings;
    int64_t idle_frames; // in a row without a request, its data or an answer
    // times
    int64_t opened_mono_ns, heard_mono_ns, moved_mono_ns, idle_mono_ns;
    int64_t age_mono_ns;   // when to drain
    int64_t state_mono_ns; // when the state was entered
    int64_t cut_mono_ns;   // when calls in flight are cut, INT64_MAX: never
    bool keepalive_asked;
};

// Takes the socket.
void grpc_connection_open(struct grpc_loop *loop, int fd);

// Something is to be sent when this turn of the loop ends.
void grpc_connection_touch(struct grpc_connection *c);
// At the end of each turn: sends for all that were touched, frees those that are closed.
void grpc_connections_flush(struct grpc_loop *loop);
// Now and then: every time limit of every connection (patrol.c).
void grpc_connections_sweep(struct grpc_loop *loop);

// Graceful end; reason: GOAWAY's debug data. Calls left at cut_mono_ns are cut.
void grpc_connection_drain(struct grpc_connection *c, const char *reason, int64_t cut_mono_ns);
// If it was the drain's notice, a round trip is to be waited for.
void grpc_connection_goaway_sent(struct grpc_connection *c);
// The answer to a PING of ours came: if it is the drain's, one round trip is over.
void grpc_connection_ping_answered(struct grpc_connection *c, const uint8_t *opaque_data);
// FINAL at once: the real GOAWAY.
void grpc_connection_drain_finish(struct grpc_connection *c);
// The peer broke a rule: GOAWAY with this error and text, then the end, without waiting for calls.
void grpc_connection_break(struct grpc_connection *c, uint32_t http2_error, const char *text);
// At once, whatever is open.
void grpc_connection_close(struct grpc_connection *c);
// After the loop's thread has ended: also the calls that handlers still owe.
void grpc_connection_destroy(struct grpc_connection *c);

// session.c: what nghttp2 tells us of a connection.
nghttp2_session_callbacks *grpc_session_callbacks(void);
nghttp2_option *grpc_session_options(void);

#endif
