// SPDX-License-Identifier: Apache-2.0
// What a peer may do too often: a budget for events at a rate, and the police of PING frames.
// Pure: the time is an argument. One thread at a time.
#ifndef ABACUS_GRPC_GUARD_H
#define ABACUS_GRPC_GUARD_H

#include "base/base.h"

// A bucket of `burst` events that refills by `per_s`. One number holds it: the moment at which it
// will be full again.
struct grpc_budget {
    int64_t event_ns, burst_ns; // fixed: what an event costs, how far full_mono_ns may be ahead
    int64_t full_mono_ns;
};

void grpc_budget_init(struct grpc_budget *b, int64_t burst, int64_t per_s);
// False: overspent.
MUST_USE bool grpc_budget_spend(struct grpc_budget *b, int64_t now_mono_ns);

// A PING that comes too early after the one before is a strike; headers or data that we sent in
// between forgive all (a client that measures its bandwidth pings then). gRFC A8.
#define GRPC_PING_STRIKES_MAX 2
struct grpc_ping_guard {
    int64_t interval_min_ns; // fixed
    int64_t last_mono_ns;    // 0: none yet
    int strikes_count;
    bool sent_since; // headers or data
};

void grpc_ping_guard_init(struct grpc_ping_guard *g, int64_t interval_min_ns);
void grpc_ping_guard_sent(struct grpc_ping_guard *g);
// False: one strike too many.
MUST_USE bool grpc_ping_guard_allow(struct grpc_ping_guard *g, int64_t now_mono_ns);

#endif
