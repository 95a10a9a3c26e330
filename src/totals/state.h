// SPDX-License-Identifier: Apache-2.0
// What a ledger says, in memory: its sources, its partitions, its version. There are two of them:
// the consumer's, which runs ahead of the file while a transaction is open, and the readers', which
// is what is committed (view.h). One thread at a time.
#ifndef ABACUS_TOTALS_STATE_H
#define ABACUS_TOTALS_STATE_H

#include "base/base.h"
#include "base/uuid.h"
#include "totals/sources.h"

// Each source is remembered for ever, in about 500 bytes for both states. A source is an outbox, so
// this many say that somebody makes them up: the events of further ones are refused.
#define STATE_SOURCES_MAX 100000

#define STATE_OFFSET_NONE (-1)

struct partition {
    int32_t partition;
    int64_t next_offset; // STATE_OFFSET_NONE: nothing was ever committed
    int64_t seen_offset; // next_offset as the consumer last heard of it or committed it
    int64_t dead_letters;
    bool touched; // differs from what is committed
};

struct state {
    struct uuid id;
    int64_t version;
    struct sources *sources;      // owned
    struct partition *partitions; // owned; ascend. As many as the topic has, so never removed
    size_t partitions_count, partitions_capacity;
};

void state_init(struct state *s);
void state_clear(struct state *s);

// Both borrowed until the next add. NULL: not there.
struct partition *state_partition_find(const struct state *s, int32_t partition);
// Finds it, or adds one of which nothing was committed.
struct partition *state_partition_add(struct state *s, int32_t partition);

#endif
