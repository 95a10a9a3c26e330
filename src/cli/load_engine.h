// SPDX-License-Identifier: Apache-2.0
// The load generator: keeps so many adds in flight on so many connections, all on the caller's
// thread, until the count or the time is reached or a stop is requested (stop.h).
//
// Closed loop (rate 0): each answer is followed by the next add. Open loop: add number n is due at
// start + n / rate whatever the answers do, and its latency counts from then on: a server that
// stands still is not flattered by the adds that could not be sent meanwhile ("coordinated
// omission").
#ifndef ABACUS_CLI_LOAD_ENGINE_H
#define ABACUS_CLI_LOAD_ENGINE_H

#include "cli/load_stats.h"

struct load_spec {
    const char *host, *port;
    int64_t connections, in_flight; // in flight: a connection
    int64_t rate;                   // adds a second, 0: as fast as possible
    int64_t count, duration_s;      // 0: no limit
    bool request_ids;               // and repeat adds of unknown fate
    bool look_into_answers;         // count sums that are wrong
    int64_t timeout_ms;             // of each call
    int64_t repeat_max_ms;          // an add without a clear answer is tried again for so long
    // Once a second, for progress; may be NULL.
    void (*on_second)(const struct load_stats *stats, int64_t elapsed_ns, void *ctx);
    void *ctx;
};

// Blocks until every add has ended. *stats: the caller's, zeroed. Returns when it began.
int64_t load_run(const struct load_spec *spec, struct load_stats *stats);

#endif
