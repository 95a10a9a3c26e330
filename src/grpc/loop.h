// SPDX-License-Identifier: Apache-2.0
// Inside the server: what a loop's connections and calls share. A loop is one thread; nothing here
// is locked.
#ifndef ABACUS_GRPC_LOOP_H
#define ABACUS_GRPC_LOOP_H

#include "base/bytes.h"
#include "grpc/header.h"
#include "grpc/server.h"

#include <stdatomic.h>
#include <sys/queue.h>

#include <nghttp2/nghttp2.h>

struct event_base;
struct grpc_connection;

// The same for all loops, fixed after create.
struct grpc_core {
    struct grpc_server_config config; // every default filled in
    struct grpc_header_rules rules;
    size_t state_bytes_max; // of all methods
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
};

// One read takes what a socket has, one write gives what a turn has made.
#define GRPC_LOOP_READ_BYTES  (256 * 1024)
#define GRPC_LOOP_WRITE_BYTES (64 * 1024)

LIST_HEAD(grpc_connection_list, grpc_connection);

struct grpc_loop {
    // fixed after create
    const struct grpc_core *core;
    int index;
    struct event_base *base; // owned
    uint8_t *input;          // owned, GRPC_LOOP_READ_BYTES
    // the loop's thread
    int64_t now_mono_ns;                     // when the current event came
    struct grpc_connection_list connections; // that have a socket
    struct grpc_connection_list closed;      // whose last handlers still owe an answer
    struct grpc_connection_list dirty;       // those with something to send at the turn's end
    struct bytes output;                     // filled and written within one flush
    int64_t calls_cut;                       // closed by us before their answer was out
    // shared: written by the loop alone, read by anyone for statistics
    _Atomic int64_t connections_open, calls_open, calls_ended;
};

// A counter with one writer needs no locked instruction.
static inline void grpc_counter_add(_Atomic int64_t *counter, int64_t n)
{
    const int64_t old = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

#endif
