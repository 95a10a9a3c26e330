// SPDX-License-Identifier: Apache-2.0
// The load generator's books: what became of each add, and whether the total gained what it must.
// Pure; one thread.
#ifndef ABACUS_CLI_LOAD_STATS_H
#define ABACUS_CLI_LOAD_STATS_H

#include "cli/histogram.h"
#include "grpc/client.h"

enum load_fate {
    LOAD_ACKNOWLEDGED, // durable: must be in the total, once
    LOAD_REFUSED,      // proved not to be written
    LOAD_UNKNOWN,      // may or may not be written
};

// Of one call's result alone. Only statuses that the adder gives before it writes are refusals.
enum load_fate load_fate(const struct grpc_result *result);

#define LOAD_STATUSES 17

struct load_stats { // zeroed: nothing happened
    int64_t begun;  // adds; those below, which add up to it in the end, and those in flight
    int64_t acknowledged, refused, unknown;
    __int128 acknowledged_sum, unknown_sum;
    int64_t statuses[LOAD_STATUSES]; // of calls; an add may take several
    int64_t repeated;                // calls that were a further try of the same add
    int64_t wrong_answers;           // acknowledged with a sum that is not a + b
    int64_t last_acknowledged_mono_ns;
    struct histogram latency_ns; // of acknowledged adds
    struct histogram refusal_ns; // of calls answered RESOURCE_EXHAUSTED, from when they were sent
};

void load_stats_end(struct load_stats *s, enum load_fate fate, int64_t sum);
int64_t load_stats_in_flight(const struct load_stats *s);

#define LOAD_VERDICTS(X)                                                              \
    X(LOAD_RIGHT, "right")         /* everything acknowledged is in, nothing twice */ \
    X(LOAD_UNSURE, "unsure")       /* some of it may still be on its way */           \
    X(LOAD_LOST, "lost")           /* nothing is on its way, and some is not in */    \
    X(LOAD_EXCESS, "excess")       /* more than was sent */                           \
    X(LOAD_DIFFERENT, "different") /* as many as it must be, with another sum */

enum load_verdict {
#define LOAD_VERDICT_ENUM(name, text) name,
    LOAD_VERDICTS(LOAD_VERDICT_ENUM)
#undef LOAD_VERDICT_ENUM
};
const char *load_verdict_name(enum load_verdict verdict);

struct load_gain { // of the total, since before the load
    int64_t count;
    __int128 sum;
    bool settled; // nothing is on its way any more
};

// Adds of unknown fate may be in or not, so both count and sum have a range (a and b of the load
// are positive).
enum load_verdict load_judge(const struct load_stats *s, const struct load_gain *gain);

#endif
