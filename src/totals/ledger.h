// SPDX-License-Identifier: Apache-2.0
// The ledger: what has been counted, durable. One transaction a batch writes the sources' positions
// and subtotals and moves the partitions' next offsets by compare-and-set, so that an event is
// counted exactly once whatever dies, and a consumer that lost its partition cannot commit.
// L1: count and sum of a source are those of exactly the sequences its position says are applied.
// L2: the next offset of a partition and what was applied from before it become durable together.
// L3: what any reader sees is committed.
// Threads: open, close: main; offset, has, stage, commit, rollback: the consumer; the rest: any.
#ifndef ABACUS_TOTALS_LEDGER_H
#define ABACUS_TOTALS_LEDGER_H

#include "base/base.h"
#include "base/err.h"
#include "base/uuid.h"
#include "event/event.h"
#include "totals/apply.h"

struct ledger;

// path: the SQLite file, made when missing. Errors as those of store_open (store/sqlite.h).
MUST_USE bool ledger_open(struct ledger **out, const char *path, struct err *err);
void ledger_close(struct ledger *ledger);

// Writes a backup to `fd` (store/sqlite.h: store_backup); another process may hold the ledger.
MUST_USE bool ledger_backup(const char *path, int fd, struct err *err);

// Where to go on reading; -1: nothing of this partition was ever committed. Reads the store: after
// a rebalance another consumer may have moved it.
MUST_USE bool ledger_offset(struct ledger *ledger, int32_t partition, int64_t *offset,
                            struct err *err);

// Whether an event was applied. Also true of one that may have been refused at a limit.
bool ledger_has(struct ledger *ledger, const struct event *event);

#define LEDGER_BATCH_MAX 4096 // entries a transaction

struct ledger_entry {
    int32_t partition;
    int64_t offset;
    bool dead_letter;           // in: not an event of ours; only counted, the offset moves on
    bool closed;                // out: it was the last of a missing range
    struct event event;         // in; of a dead letter only the context
    enum apply_verdict verdict; // out, unless dead_letter; REFUSED: must go to the dead letters too
    int64_t skipped;            // out: so many just before it are missing since it came
};

// Applies a batch in memory and in an open transaction. Then commit or rollback must follow.
// n: 1..LEDGER_BATCH_MAX, of any partitions, offsets of one partition ascend. False: rolled back.
// ERR_CONFLICT: a partition's next offset is not what this consumer last saw: the partition has
// another owner; ask ledger_offset again.
MUST_USE bool ledger_stage(struct ledger *ledger, struct ledger_entry *entries, size_t n,
                           struct err *err);
// False: nothing of the batch counts, it is rolled back and may be staged again. ERR_UNKNOWN: it
// may have been committed; the ledger has read back what holds: ask ledger_offset where to go on.
MUST_USE bool ledger_commit(struct ledger *ledger, struct err *err);
void ledger_rollback(struct ledger *ledger);

// --- reading: never waits for a transaction ---
struct ledger_total {
    struct uuid ledger; // made once with the file
    int64_t version;    // of what is committed: moves on with each transaction
    int64_t count;
    __int128 sum;
    int64_t sources, missing, duplicates, dead_letters;
};
void ledger_total(struct ledger *ledger, struct ledger_total *out);

struct ledger_source {
    struct uuid source;
    int32_t partition; // where its last event came from
    int64_t highest, count, duplicates, missing_events;
    __int128 sum;
    int64_t applied_unix_us, accepted_unix_us; // of its latest new event
    struct range *missing;
    size_t missing_count;
};
// One source, or all in order of their ids; *list: owned, ledger_sources_free.
size_t ledger_sources(struct ledger *ledger, struct ledger_source **list);
bool ledger_source(struct ledger *ledger, const struct uuid *source, struct ledger_source **one);
void ledger_sources_free(struct ledger_source *list, size_t n);

// Up to `max` sources, and the total of the same moment. Which ones stays the same until the ledger
// is loaded anew. Copies little, however many sources there are.
struct ledger_count {
    struct uuid source;
    int64_t highest, applied, duplicates; // missing: what of 1..highest was not applied (L1)
};
size_t ledger_counts(struct ledger *ledger, struct ledger_count *out, size_t max,
                     struct ledger_total *total);

struct ledger_partition {
    int32_t partition;
    int64_t next_offset, dead_letters;
};
size_t ledger_partitions(struct ledger *ledger, struct ledger_partition **list); // owned: free()

// on_change(ctx) after each commit, on the consumer's thread, under no lock. Set before it starts.
void ledger_on_change(struct ledger *ledger, void (*on_change)(void *ctx), void *ctx);

#endif
