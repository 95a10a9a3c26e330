// SPDX-License-Identifier: Apache-2.0
// What the outbox's parts share: outbox.c (open, append, stats), outbox_tend.c (retention,
// checkpoints), outbox_reader.c (the relay's side).
//
// One connection writes. The writer uses it for every batch, the relay or main now and then (the
// partition, a replay), so it is taken in turns: first come, first served. Nobody can starve: who
// waits is next, after one batch at most. Nobody can deadlock: a turn is never taken inside
// another, nor while `mu` is held. SQLite's own write lock is thus never contended by us.
#ifndef ABACUS_ADDER_OUTBOX_STATE_H
#define ABACUS_ADDER_OUTBOX_STATE_H

#include "adder/outbox_metrics.h"
#include "adder/outbox_table.h"
#include "adder/timeline.h"

#include <pthread.h>

struct turn {
    pthread_mutex_t mu;
    pthread_cond_t passed;
    uint64_t next, current; // tickets; equal: the turn is free
};

struct outbox {
    // fixed after open
    struct outbox_config config; // path: owned
    struct uuid id;
    struct outbox_metrics metrics;
    // whose turn it is
    struct turn turn;
    struct outbox_table table;
    struct outbox_source source; // what the file says; published: as of the last transaction
    bool stale;                  // a write failed: read the file back before anything else
    // outbox_tend's, in its turn
    int64_t tended_appended, tended_mono_ns;
    bool wal_grown;         // something was committed since the WAL was last copied whole
    bool checkpoint_failed; // and this was logged
    // shared, under mu: the source as others see it
    pthread_mutex_t mu;
    __int128 sum;
    int64_t oldest_unix_us; // of the oldest row not yet published; too old until the next refresh
    int32_t partition;
    struct timeline committed; // by this process, and not yet published
    // shared; stored under mu, so that sum and appended are of one moment
    _Atomic int64_t appended;
    // shared; I2: at most `appended`, since it is stored by whoever has read rows up to there
    _Atomic int64_t published;
};

void outbox_turn_take(struct outbox *outbox);
void outbox_turn_pass(struct outbox *outbox);

// --- in one's turn ---
// After a failed write: rolls back and reads the source row. Else does nothing.
MUST_USE bool outbox_settle(struct outbox *outbox, struct err *err);
// Commits. False: rolled back as far as possible, and stale.
MUST_USE bool outbox_commit(struct outbox *outbox, struct err *err);
// Gives the open transaction up.
void outbox_abandon(struct outbox *outbox);
// False: what is left of the disk is the reserve (outbox.h).
MUST_USE bool outbox_has_room(struct outbox *outbox, struct err *err);
// Reads when the oldest row not yet published was accepted.
MUST_USE bool outbox_oldest_refresh(struct outbox *outbox, struct err *err);

#endif
