// SPDX-License-Identifier: Apache-2.0
// gRPC client: one HTTP/2 connection (a channel), unary calls, for the command line and the load
// generator. All on the one thread that runs the event_base; callbacks come from its loop, never
// from inside grpc_channel_call.
#ifndef ABACUS_GRPC_CLIENT_H
#define ABACUS_GRPC_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"
#include "grpc/server.h"
#include "grpc/status.h"

struct event_base;
struct grpc_channel;

struct grpc_result {
    enum grpc_status status;
    const char *text;          // decoded grpc-message, or our own words; never NULL
    struct grpc_slice message; // the response if status is GRPC_OK
    struct grpc_slice details; // decoded grpc-status-details-bin, may be empty
    bool answered;             // the server itself gave this status; false: the fate is unknown
    bool not_processed;        // proved that the server did not see the call: safe to repeat
};

struct grpc_channel_config {
    const char *host, *port;
    int64_t connect_timeout_ms; // 0: 5 s
    // The connection is gone (err: why; after grpc_channel_close: never called). Calls in flight
    // have had their on_done. May be NULL. The channel must still be destroyed.
    void (*on_closed)(struct grpc_channel *channel, const struct err *err, void *ctx);
    void *ctx;
};

// Resolves, then connects in the background; calls may be made at once, they wait for it.
MUST_USE bool grpc_channel_create(struct grpc_channel **out, struct event_base *base,
                                  const struct grpc_channel_config *config, struct err *err);
// Ends open calls with CANCELLED (their on_done is called) and frees the channel. Not from within
// on_closed or on_done of the same channel.
void grpc_channel_destroy(struct grpc_channel *channel);

struct grpc_call_spec {
    const char *path;          // "/abacus.v1.Adder/Add"; borrowed until on_done
    struct grpc_slice message; // copied
    int64_t timeout_ms;        // 0: none; sent as grpc-timeout and kept here too
    const char *traceparent;   // NULL: none; copied
    void (*on_done)(const struct grpc_result *result, void *ctx); // exactly once
    void *ctx;
};

// False: the channel is closed or going away, on_done is not called. A call above the peer's
// stream limit waits in the channel.
MUST_USE bool grpc_channel_call(struct grpc_channel *channel, const struct grpc_call_spec *spec,
                                struct err *err);

// For programs that want one answer: runs base until the call is done and copies the answer.
// Any failure to connect is GRPC_UNAVAILABLE. Clear the answer with grpc_answer_clear.
struct grpc_answer {
    enum grpc_status status;
    bool answered;
    struct bytes text, message, details;
};
void grpc_call_blocking(const char *host, const char *port, const struct grpc_call_spec *spec,
                        struct grpc_answer *out);
void grpc_answer_clear(struct grpc_answer *answer);

#endif
