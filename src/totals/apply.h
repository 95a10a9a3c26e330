// SPDX-License-Identifier: Apache-2.0
// totals: the REST service that keeps the running total. Reading order: apply.h (the rule),
// sources.h (what is known of each source), ledger.h (what is durable), batch.h, consumer.h,
// rest.h, main.c.
// Uses base, store, telemetry, kafka, event.
//
// apply.h: is an event new? A source numbers its events 1, 2, 3 … without holes and they arrive in
// that order, so one number would do if nothing ever went wrong; what was skipped is kept as ranges
// until it arrives late.
//
//   sequence  verdict    highest  missing
//   1         new        1        -
//   4         new        4        2-3
//   3         new        4        2
//   3         duplicate  4        2
//
// Pure: no I/O, no clock. One thread at a time.
#ifndef ABACUS_TOTALS_APPLY_H
#define ABACUS_TOTALS_APPLY_H

#include "base/base.h"

// More holes than this in one source and the next event that would open one is refused (a dead
// letter): memory stays bounded whatever a broken producer sends.
#define APPLY_RANGES_MAX 1024

struct range {
    int64_t first, last; // both missing
};

// What was seen of one source. A zeroed position has seen nothing.
// Invariant: ranges ascend, do not touch, and lie within 1..highest.
struct position {
    int64_t highest;       // the highest sequence applied, 0: none
    struct range *missing; // owned
    size_t missing_count, missing_capacity;
};

void position_clear(struct position *p);

enum apply_verdict { APPLY_NEW, APPLY_DUPLICATE, APPLY_REFUSED };

// Moves the position on, or (duplicate, refused) leaves it as it is. sequence: 1 or more.
enum apply_verdict position_apply(struct position *p, int64_t sequence);

// Whether the sequence was applied. sequence: 1 or more.
bool position_has(const struct position *p, int64_t sequence);

// Puts a stored position together again: highest is set, ranges are added in ascending order.
// False: the range would break the invariant.
MUST_USE bool position_range_add(struct position *p, struct range range);

// How many sequences are missing, at most INT64_MAX.
int64_t position_missing(const struct position *p);

#endif
