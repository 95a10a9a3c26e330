// SPDX-License-Identifier: Apache-2.0
// What the consumer has in hand: messages, decoded, that become one ledger transaction; those that
// are no event of ours go to the dead letters first. Each attempt to settle it is told to metrics,
// traces and log when it is over. The consumer's thread only.
#ifndef ABACUS_TOTALS_BATCH_H
#define ABACUS_TOTALS_BATCH_H

#include "totals/dead_letters.h"
#include "totals/ledger.h"
#include "totals/positions.h"

#define BATCH_MAX 512 // messages: more saves nothing, and each is memory

struct moment { // both clocks: one for durations, one that others can compare
    int64_t mono_ns, unix_us;
};

// One attempt to settle a batch.
struct attempt {
    struct moment begin, end; // the first begins when the batch is complete
    bool transaction;         // the ledger committed, or failed to; else it was not the ledger
    const struct err *err;    // NULL: committed
};

struct batch {
    // fixed, borrowed
    struct ledger *ledger;
    struct positions *positions;
    struct dead_letters *dead_letters;
    const struct batch_metrics *metrics;
    const struct batch_spans *spans;
    // each letter is beside its entry; its message and reason are owned
    size_t count;
    struct ledger_entry entries[BATCH_MAX];
    struct dead_letter letters[BATCH_MAX];
    int64_t begun_mono_ns; // when its first message was taken
    struct moment taken;   // when it was complete; zero: it is not yet
};

// Takes the message, unless it begins a new batch: false, and it stays the caller's. Not when full.
MUST_USE bool batch_take(struct batch *b, rd_kafka_message_t *m);

// Applies, sends the dead letters, commits. False: nothing counts yet, and the same batch may be
// tried again. ERR_CONFLICT, ERR_UNKNOWN: as those of ledger_stage and ledger_commit.
MUST_USE bool batch_commit(struct batch *b, struct err *err);

void batch_clear(struct batch *b);

#endif
