// SPDX-License-Identifier: Apache-2.0
// adder: the gRPC service that commits sums to the outbox and relays them to Kafka.
// Reading order: outbox.h (what is promised), writer.h (group commit), add_service.h (the call),
// relay.h, main.c. Uses base, grpc, telemetry, event.
//
// outbox.h: sums that are durable but perhaps not yet in Kafka.
// I1: sequences are 1, 2, 3 … in commit order, without holes.
// I2: published <= appended, and it goes back only by a replay.
// I3: the source's count and sum are those of all rows ever appended (same transaction).
// Threads: open, close: main; append, tend: the writer; the reader: the relay; stats: any.
#ifndef ABACUS_ADDER_OUTBOX_H
#define ABACUS_ADDER_OUTBOX_H

#include "base/base.h"
#include "base/err.h"
#include "base/uuid.h"
#include "event/event.h"

#define OUTBOX_BATCH_MAX 1024 // rows a transaction: bounds the writer's memory and a commit's time

// The last of the disk is not for adds: rows that Kafka has taken could not be removed from a full
// one, since a removal is written before it frees anything. Twice what the WAL and a batch need.
#define OUTBOX_RESERVE_BYTES (INT64_C(16) << 20)

struct outbox;

struct outbox_config {
    const char *path;       // the SQLite file, made when missing
    int64_t retention_rows; // published rows kept for request ids and replay
    int64_t retention_s;
};

// Opens the store, makes or reads its source, and claims it for this process.
// *out: owned, end with outbox_close. ERR_BUSY: another process holds it (err says which);
// ERR_CORRUPT, ERR_UNSUPPORTED: not an outbox of ours, or a newer one; ERR_UNAVAILABLE: I/O.
MUST_USE bool outbox_open(struct outbox **out, const struct outbox_config *config, struct err *err);
void outbox_close(struct outbox *outbox);

// Whether the file is what outbox_backup wrote. Such an outbox knows nothing of the sums that came
// after it: it must append none, since that would give their numbers to others (I1). Its rows may
// be published, which repeats them.
bool outbox_is_backup(const struct outbox *outbox);

// Writes a backup to `fd` (store/sqlite.h: store_backup); another process may hold the outbox.
MUST_USE bool outbox_backup(const char *path, int fd, struct err *err);

// REPEATED: the request id came before, and gets its first answer again.
enum add_outcome { ADD_APPENDED, ADD_REPEATED, ADD_CONFLICT, ADD_OUTCOMES };

struct add {
    int64_t a, b, sum;            // in
    int64_t accepted_unix_us;     // in
    struct uuid request_id;       // in; empty text: none
    struct trace_context context; // in
    enum add_outcome outcome;     // out
    int64_t sequence;             // out, unless ADD_CONFLICT
};

// Commits n adds (1..OUTBOX_BATCH_MAX) as one transaction, all or none; borrowed for the call.
// True: each has its outcome and survives power loss. ERR_UNAVAILABLE: nothing was written.
// ERR_UNKNOWN: the commit may have happened; the next append reads back first by itself.
MUST_USE bool outbox_append(struct outbox *outbox, struct add *const *adds, size_t n,
                            struct err *err);

// Keeps the store in order while no adds come: persists `published`, removes rows past retention.
// Call when idle, and now and then under load. *more: call again soon. After a failure of the store
// it writes in any case: true means that adds work again. ERR_UNAVAILABLE also when it has done its
// work, but only the reserve is left of the disk.
MUST_USE bool outbox_tend(struct outbox *outbox, bool *more, struct err *err);

struct outbox_stats {
    struct uuid source;
    int64_t appended;       // last sequence committed = count
    int64_t published;      // all up to here is acknowledged by Kafka
    __int128 sum;           // of all ever appended, of the same moment as appended
    int64_t oldest_unix_us; // accepted time of the oldest row not yet published, 0: none; of a row
                            // from before the start or a replay as of the last outbox_tend, later
                            // ones are younger
    int32_t partition;      // -1: not chosen yet
};
void outbox_stats(struct outbox *outbox, struct outbox_stats *out);

// --- the relay's side: one reader at a time, its own connection ---
struct outbox_reader;
MUST_USE bool outbox_reader_open(struct outbox_reader **out, struct outbox *outbox,
                                 struct err *err);
void outbox_reader_close(struct outbox_reader *reader);

// Reads rows with sequence > after, in order, at most max. *n: how many. Reading never blocks the
// writer. ERR_CORRUPT: a hole.
MUST_USE bool outbox_read(struct outbox_reader *reader, int64_t after, struct event *events,
                          size_t max, size_t *n, struct err *err);

// All up to sequence is acknowledged by Kafka (I2). In memory at once; durable with the writer's
// next transaction: after a crash events may be published again, never skipped.
void outbox_published_set(struct outbox *outbox, int64_t sequence);

// The source's partition, chosen once and kept for ever; durable when it returns true.
// ERR_EXISTS: it has another.
MUST_USE bool outbox_partition_set(struct outbox *outbox, int32_t partition, struct err *err);

// For `replay`: publishing starts again at sequence `from`, durable when it returns true; if that
// one is not published yet, nothing changes. ERR_NOT_FOUND: that row is gone, or not there yet; the
// text says which is the oldest kept.
MUST_USE bool outbox_rewind(struct outbox *outbox, int64_t from, struct err *err);

#endif
