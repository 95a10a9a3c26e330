// SPDX-License-Identifier: Apache-2.0
// When each of a run of sequences was committed, or handed to Kafka: kept until somebody takes it
// to say how long ago that was. Neighbours to which it happened at one time are one stretch:
//
//   taken   …100 at t1 │ …340 at t2 │ …341 at t3
//
// The memory is bounded. With no place left the two neighbours closest in time become one, with the
// older's time: so what waits for an hour is known to some seconds, and what waits for a second to
// some milliseconds. Pure; one thread at a time.
#ifndef ABACUS_ADDER_TIMELINE_H
#define ABACUS_ADDER_TIMELINE_H

#include "base/base.h"

#define TIMELINE_STRETCHES_MAX 128

struct stretch {
    int64_t last;          // its sequences: from the one before's last + 1 up to here
    int64_t mono_ns;       // when it happened
    int64_t first_unix_us; // another time that its owner wants back, of its first sequence
};

struct timeline {
    int64_t taken; // up to here taken, or from before: nothing is known of those
    size_t first, count;
    struct stretch stretches[TIMELINE_STRETCHES_MAX]; // from first on
};

void timeline_init(struct timeline *t, int64_t taken);

// One stretch more, after the last. What begins before the end of the last is cut to what follows.
void timeline_add(struct timeline *t, const struct stretch *stretch);

// Takes sequences of one stretch, up to `sequence` at most, oldest first. Returns how many; 0:
// none.
int64_t timeline_take(struct timeline *t, int64_t sequence, int64_t *mono_ns);

// The stretch of the oldest sequence not taken yet; NULL: none. Borrowed until the next change.
const struct stretch *timeline_oldest(const struct timeline *t);

#endif
