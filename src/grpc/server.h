// SPDX-License-Identifier: Apache-2.0
// grpc: gRPC over HTTP/2 (nghttp2) on libevent loops: a server, a client, health and reflection.
// Reading order: status.h, message.h, header.h (pure parsers), transport.h (the seam for TLS),
// server.h, call.c, connection.c, health.h, reflection.h, client.h. Uses base only.
//
// server.h: N loops, each a thread with its own SO_REUSEPORT listener; a connection lives and dies
// on one loop. create, start, stop, destroy: main. Handlers run on the call's loop, and all
// grpc_call_* functions must be called there, but grpc_call_gone, which any thread may ask.
#ifndef ABACUS_GRPC_SERVER_H
#define ABACUS_GRPC_SERVER_H

#include "base/base.h"
#include "base/err.h"
#include "grpc/message.h"
#include "grpc/status.h"

struct grpc_server;
struct grpc_call;

enum grpc_method_kind { GRPC_UNARY, GRPC_SERVER_STREAM, GRPC_BIDI_STREAM };

// Unary: on_message is called once, with the whole request, after the client half-closed; the
// handler then owes exactly one grpc_call_reply or grpc_call_fail, now or later from the loop,
// even when the client is gone meanwhile: the call stays valid until then.
// Streams: on_message for each message, of GRPC_BIDI_STREAM also on_half_close when no more come
// (maybe none did); the handler answers by grpc_call_send any number of times and ends with
// grpc_call_finish;
// on_gone (may be NULL): the client left or the deadline passed; the call is invalid afterwards
// and owes nothing.
struct grpc_method {
    const char *path; // "/abacus.v1.Adder/Add"
    enum grpc_method_kind kind;
    size_t state_bytes; // zeroed memory that lives with each call: grpc_call_state
    void (*on_message)(struct grpc_call *call, struct grpc_slice message, void *ctx);
    void (*on_half_close)(struct grpc_call *call, void *ctx);
    void (*on_gone)(struct grpc_call *call, void *ctx);
    void *ctx;
};

// How a call ended: answered, refused before any handler saw it, cut, or left by its client.
struct grpc_call_end {
    const char *method;      // "abacus.v1.Adder/Add"; "_OTHER": none of ours
    size_t method_index;     // among those given to create; as many as those: none of ours
    enum grpc_status status; // what was decided; else DEADLINE_EXCEEDED when that has passed, or
                             // CANCELLED
    int64_t duration_ns;     // from reading the first of its headers to writing the last of it
    const void *state;       // NULL: refused by its headers. A handler that still owes an answer
                             // goes on using it.
};

struct grpc_server_config {
    const char *address; // "0.0.0.0", "::", "127.0.0.1"
    int port;            // 0: a free one, see grpc_server_port
    int loops;           // threads, 1..64
    // what a peer may do; 0 means the default in brackets
    uint32_t streams_max;           // open calls a connection [256]
    uint32_t connections_max;       // a server [10000]
    uint32_t message_bytes_max;     // a request [4 MiB]
    uint32_t header_list_bytes_max; // name + value + 32 each [8 KiB]
    uint32_t unsent_bytes_max;      // then the connection is not read [1 MiB]
    int64_t ping_interval_min_ms;   // more often, three times: too_many_pings [10 s]
    int64_t resets_burst_max;     // resets and invalid frames a connection, see resets_per_s [1000]
    int64_t resets_per_s;         // refill [330]
    int64_t handshake_timeout_ms; // preface and SETTINGS [10 s]
    int64_t request_timeout_ms;   // headers begun → request complete, unary [60 s]
    int64_t stall_timeout_ms;     // unsent bytes that do not move [30 s]
    int64_t idle_max_ms;          // connection without calls, 0: unlimited
    int64_t age_max_ms;           // ±10 % jitter, then graceful GOAWAY; 0: unlimited
    int64_t age_grace_ms;         // then calls in flight are cut [30 s]
    int64_t keepalive_ms;         // PING to a silent peer [2 h]
    int64_t keepalive_timeout_ms; // its answer [20 s]
    // Of every call, once, when it is over; on the call's loop. NULL: nobody wants to know.
    void (*on_end)(const struct grpc_call_end *end, void *ctx);
    void *on_end_ctx;
};

// methods are copied; their paths and ctx are borrowed for the server's life.
// *out: owned, end with grpc_server_destroy. ERR_BUSY: the port is taken.
MUST_USE bool grpc_server_create(struct grpc_server **out, const struct grpc_server_config *config,
                                 const struct grpc_method *methods, size_t count, struct err *err);

// Calls on_readable(ctx) on that loop whenever fd is readable (a mailbox). Before start only.
void grpc_server_watch(struct grpc_server *server, int loop, int fd, void (*on_readable)(void *ctx),
                       void *ctx);
void grpc_server_start(struct grpc_server *server);
int grpc_server_port(const struct grpc_server *server);

// Stops accepting, sends the two-step GOAWAY on every connection, lets calls in flight finish for
// at most grace_ms, then closes. Blocks until every loop has ended. True: no call was cut.
bool grpc_server_stop(struct grpc_server *server, int64_t grace_ms);
void grpc_server_destroy(struct grpc_server *server); // stopped or never started

// --- calls ---
void *grpc_call_state(struct grpc_call *call);
struct grpc_call *grpc_call_of_state(void *state);
int grpc_call_loop(const struct grpc_call *call);                 // 0..loops-1
int64_t grpc_call_deadline_mono_ns(const struct grpc_call *call); // INT64_MAX: none
int64_t grpc_call_begun_mono_ns(const struct grpc_call *call);    // its headers were read
// The client's address and port; "" when its connection is gone. Asks the kernel.
#define GRPC_ADDRESS_BYTES 64
int grpc_call_peer(const struct grpc_call *call, char address[GRPC_ADDRESS_BYTES]);
// Client gone or deadline passed: nobody will see the answer. Any thread.
bool grpc_call_gone(const struct grpc_call *call);
// Request metadata, lower-case name; NULL: absent. -bin values are decoded. Borrowed.
const char *grpc_call_metadata(const struct grpc_call *call, const char *name, size_t *length);

// Adds metadata to the answer; -bin values are encoded. Initial: before the first send or end.
enum grpc_metadata_place { GRPC_INITIAL, GRPC_TRAILING };
void grpc_call_metadata_add(struct grpc_call *call, enum grpc_metadata_place place,
                            const char *name, const void *value, size_t length);

// A unary answer; bytes are copied. Ends the call.
void grpc_call_reply(struct grpc_call *call, const void *message, size_t length);
// One message of a stream. False: too much is unsent (unsent_bytes_max), the call was ended.
bool grpc_call_send(struct grpc_call *call, const void *message, size_t length);
// Ends the call with a status. text: human-readable, may be "".
void grpc_call_finish(struct grpc_call *call, enum grpc_status status, const char *text);
// The same with google.rpc.ErrorInfo (AIP-193): reason UPPER_SNAKE, domain "abacus.dev".
void grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *reason,
                    const char *fmt, ...) PRINTF_LIKE(4, 5);

// Numbers for readiness and tests. Any thread.
struct grpc_server_stats {
    int64_t connections; // open now
    int64_t calls;       // in flight now
    int64_t calls_total; // ended, any status
};
struct grpc_server_stats grpc_server_stats(struct grpc_server *server);

#endif
