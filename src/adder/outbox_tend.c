// SPDX-License-Identifier: Apache-2.0
// What the outbox needs beside appending. It is asked for after nearly every batch, so it does
// little unless there is enough to do, nothing else to do, or some time has passed: a transaction
// costs as much here as in outbox_append.
#include "adder/outbox_state.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>

#define INTERVAL_NS   (NS_PER_S / 2) // `published` becomes durable this often under load
#define REMOVE_ROWS   512            // fewer expired rows are not worth a transaction of their own
#define STEP_ROWS_MIN 4096           // removed in one step: a few milliseconds
#define STEP_ROWS_MAX (64 * OUTBOX_BATCH_MAX)
#define US_PER_S      INT64_C(1000000)

bool outbox_has_room(struct outbox *o, struct err *err)
{
    int64_t disk_bytes, file_bytes;
    if (!store_disk_free(&o->table.store, &disk_bytes, err))
        return false;
    if (disk_bytes >= OUTBOX_RESERVE_BYTES)
        return true;
    if (!outbox_table_free(&o->table, &file_bytes, err))
        return false;
    return disk_bytes + file_bytes >= OUTBOX_RESERVE_BYTES ||
           err_set(err, ERR_UNAVAILABLE,
                   "%s: the disk is full but for %" PRId64 " MiB, which removing rows needs; make "
                   "room",
                   o->config.path, OUTBOX_RESERVE_BYTES >> 20);
}

// Twice of what came since the last time, so that removing keeps up with any load.
static int64_t step_rows(const struct outbox *o)
{
    const int64_t came = o->source.appended - o->tended_appended;
    if (came >= STEP_ROWS_MAX / 2)
        return STEP_ROWS_MAX;
    return 2 * came > STEP_ROWS_MIN ? 2 * came : STEP_ROWS_MIN;
}

static int64_t min_of(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

// Accepted before this and published: gone. INT64_MIN: nothing is that old.
static int64_t cutoff_unix_us(const struct outbox *o)
{
    const int64_t now = clock_unix_us();
    return o->config.retention_s > now / US_PER_S ? INT64_MIN
                                                  : now - o->config.retention_s * US_PER_S;
}

// The last row of the expired ones at the start, within one step; first - 1: none. Only a prefix
// may go, or what is kept would have holes; rows are accepted nearly in order of their sequences.
static bool expired_last(struct outbox *o, int64_t published, int64_t *last, struct err *err)
{
    const struct outbox_source *s = &o->source;
    const int64_t limit = min_of(published, s->first - 1 + step_rows(o));
    int64_t young = s->first;
    if (limit >= s->first &&
        !outbox_table_first_young(&o->table, (struct outbox_span){s->first, limit},
                                  cutoff_unix_us(o), &young, err))
        return false;
    const int64_t by_rows = min_of(limit, published - o->config.retention_rows);
    const int64_t by_age = young - 1;
    *last = by_rows > by_age ? by_rows : by_age;
    if (*last < s->first)
        *last = s->first - 1;
    return true;
}

static bool write_tidied(struct outbox *o, struct outbox_source *source, struct err *err)
{
    bool ok = outbox_table_begin(&o->table, err) && outbox_table_touch(&o->table, err) &&
              outbox_table_counts_set(&o->table, source, err) &&
              (source->first == o->source.first ||
               outbox_table_remove(&o->table, source->first - 1, err));
    if (ok && fault_here(FAULT_outbox_publish))
        ok = err_set(err, ERR_UNAVAILABLE, "a test made it fail");
    if (!ok) {
        outbox_abandon(o);
        return false;
    }
    if (!outbox_commit(o, err))
        return false;
    o->source = *source;
    return true;
}

static bool tidied(struct outbox *o, struct outbox_source *source, struct err *err)
{
    const int64_t begun_mono_ns = clock_mono_ns();
    const bool ok = write_tidied(o, source, err);
    outbox_metrics_delete(&o->metrics, begun_mono_ns, ok ? NULL : err);
    return ok;
}

// A failure here is no reason to refuse adds: the rows are safe in the WAL, and when that cannot
// grow any more the next append says so.
static void checkpoint(struct outbox *o)
{
    if (!o->wal_grown)
        return;
    int frames, copied;
    const int rc = sqlite3_wal_checkpoint_v2(o->table.store.db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                             &frames, &copied);
    o->wal_grown = rc != SQLITE_OK || copied < frames; // a reader may be in the way
    const bool failed = rc != SQLITE_OK && rc != SQLITE_BUSY;
    if (failed && !o->checkpoint_failed)
        log_warn("outbox", "cannot copy the write-ahead log into %s: %s", o->config.path,
                 sqlite3_errmsg(o->table.store.db));
    o->checkpoint_failed = failed;
}

static bool tend(struct outbox *o, bool after_failure, bool *more, struct err *err)
{
    const int64_t now = clock_mono_ns();
    const bool idle = o->source.appended == o->tended_appended;
    const bool due = idle || after_failure || now - o->tended_mono_ns >= INTERVAL_NS;
    struct outbox_source source = o->source;
    int64_t last;
    source.published = atomic_load_explicit(&o->published, memory_order_acquire);
    if (!expired_last(o, source.published, &last, err))
        return false;
    const int64_t expired = last + 1 - source.first;
    const bool step_full = expired >= step_rows(o);
    o->tended_appended = source.appended;
    if (due)
        o->tended_mono_ns = now;
    if (expired >= (due ? 1 : REMOVE_ROWS))
        source.first = last + 1;
    const bool changed =
        source.first != o->source.first || (due && source.published != o->source.published);
    if ((changed || after_failure) && !tidied(o, &source, err))
        return false;
    *more = step_full;
    if (idle)
        checkpoint(o);
    return outbox_oldest_refresh(o, err) && outbox_has_room(o, err);
}

bool outbox_tend(struct outbox *o, bool *more, struct err *err)
{
    *more = false;
    outbox_turn_take(o);
    const bool after_failure = o->stale;
    const bool ok = outbox_settle(o, err) && tend(o, after_failure, more, err);
    outbox_turn_pass(o);
    return ok || err_prefix(err, "tend the outbox");
}
