// SPDX-License-Identifier: Apache-2.0
// Lag in seconds: how long ago the partition ended where the ledger is now. Known from what was
// heard of the partition's end over time, by the monotonic clock alone: no two machines' clocks are
// compared, and a partition that nobody writes to does not seem to fall behind.
//
//   end     heard:  100   130   170  …  with the ledger at 145, the partition ended there between
//   at              1 s   2 s   3 s     2 and 3 s: a straight line says 2.375 s
//
// Bounded: when it is full, every second sample goes, and from then on fewer are taken, so that the
// reach doubles while the error stays a small part of the lag. Pure; one thread at a time.
#ifndef ABACUS_TOTALS_LAG_H
#define ABACUS_TOTALS_LAG_H

#include "base/base.h"

#define LAG_SAMPLES_MAX 32

struct lag_sample {
    int64_t mono_ns;
    int64_t end_offset; // of the partition, at that time
};

// A zeroed one has heard nothing. Both members ascend.
struct lag {
    size_t count;
    int64_t spacing_ns; // at least so far apart, but for the newest
    struct lag_sample samples[LAG_SAMPLES_MAX];
};

// Takes what Kafka said, and forgets what lies before the ledger's place. An end that moves back is
// another topic's: what was heard before says nothing any more.
void lag_hear(struct lag *lag, struct lag_sample heard, int64_t settled_offset);

// now: the time, and the newest end that is known. 0: nothing is behind. When what was heard does
// not reach back far enough, how far it reaches.
int64_t lag_ns(const struct lag *lag, struct lag_sample now, int64_t settled_offset);

#endif
