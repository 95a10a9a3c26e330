// SPDX-License-Identifier: Apache-2.0
// What is in memory follows the file, never the other way round: a number changes here only after
// the transaction that changes it there. After a failed write nobody knows what the file says, so
// the next who has the turn reads it back and goes on from there.
//
// Dying anywhere is safe: before COMMIT nothing happened; after it the rows, the count and the sum
// are there together (I1, I3), and the client who got no answer may ask again with its request id.
#include "adder/outbox.h"

#include "adder/outbox_state.h"
#include "base/clock.h"
#include "base/fault.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

// --- turns ---

void outbox_turn_take(struct outbox *o)
{
    pthread_mutex_lock(&o->turn.mu);
    const uint64_t ticket = o->turn.next++;
    while (ticket != o->turn.current)
        pthread_cond_wait(&o->turn.passed, &o->turn.mu);
    pthread_mutex_unlock(&o->turn.mu);
}

void outbox_turn_pass(struct outbox *o)
{
    pthread_mutex_lock(&o->turn.mu);
    o->turn.current++;
    pthread_cond_broadcast(&o->turn.passed); // the ticket decides who goes on
    pthread_mutex_unlock(&o->turn.mu);
}

// --- memory follows the file ---

static int64_t published_now(struct outbox *o)
{
    return atomic_load_explicit(&o->published, memory_order_acquire);
}

// The transaction that made the source like this is durable.
static void source_accept(struct outbox *o, const struct outbox_source *source)
{
    o->source = *source;
    pthread_mutex_lock(&o->mu);
    o->sum = source->sum;
    o->partition = source->partition;
    atomic_store_explicit(&o->appended, source->appended, memory_order_release);
    pthread_mutex_unlock(&o->mu);
}

static void oldest_set(struct outbox *o, int64_t unix_us)
{
    pthread_mutex_lock(&o->mu);
    o->oldest_unix_us = unix_us;
    pthread_mutex_unlock(&o->mu);
}

bool outbox_oldest_refresh(struct outbox *o, struct err *err)
{
    int64_t unix_us = 0;
    const int64_t published = published_now(o);
    if (published < o->source.appended &&
        !outbox_table_accepted(&o->table, published + 1, &unix_us, err))
        return false;
    oldest_set(o, unix_us);
    return true;
}

// A file that knows less than what was committed was exchanged or restored under our feet: going
// on would give the same sequence to two sums.
static bool read_back(struct outbox *o, struct err *err)
{
    struct outbox_source source;
    if (!outbox_table_rollback(&o->table, err) || !outbox_table_source(&o->table, &source, err))
        return false;
    if (!uuid_equal(&source.id, &o->id) || source.appended < o->source.appended)
        return err_set(err, ERR_CORRUPT,
                       "%s: it is not the file it was; restart with the right one", o->config.path);
    source_accept(o, &source);
    o->stale = false;
    return outbox_oldest_refresh(o, err);
}

bool outbox_settle(struct outbox *o, struct err *err)
{
    return !o->stale || read_back(o, err) || err_prefix(err, "read the outbox back");
}

void outbox_abandon(struct outbox *o)
{
    struct err ignored; // settle tries again, and reports
    (void)!outbox_table_rollback(&o->table, &ignored);
    o->stale = true;
}

static bool fault(struct err *err, enum err_code code)
{
    return err_set(err, code, "a test made it fail");
}

bool outbox_commit(struct outbox *o, struct err *err)
{
    bool ok = !fault_here(FAULT_outbox_commit) || fault(err, ERR_UNAVAILABLE);
    ok = ok && outbox_table_commit(&o->table, err);
    if (ok && fault_here(FAULT_outbox_durable))
        ok = fault(err, ERR_UNKNOWN);
    if (!ok)
        outbox_abandon(o);
    o->wal_grown = true;
    return ok;
}

// --- open, close ---

static struct outbox *outbox_create(const struct outbox_config *config)
{
    struct outbox *o = xcalloc(1, sizeof(*o));
    o->config = *config;
    o->config.path = xstrdup(config->path);
    pthread_mutex_init(&o->turn.mu, NULL);
    pthread_cond_init(&o->turn.passed, NULL);
    pthread_mutex_init(&o->mu, NULL);
    outbox_metrics_init(&o->metrics);
    return o;
}

static void outbox_destroy(struct outbox *o)
{
    pthread_mutex_destroy(&o->mu);
    pthread_cond_destroy(&o->turn.passed);
    pthread_mutex_destroy(&o->turn.mu);
    free((void *)(uintptr_t)o->config.path);
    free(o);
}

static bool source_load(struct outbox *o, struct err *err)
{
    struct outbox_source source;
    if (!outbox_table_source(&o->table, &source, err))
        return false;
    o->id = source.id;
    atomic_store(&o->published, source.published);
    timeline_init(&o->committed, source.appended);
    source_accept(o, &source);
    o->tended_appended = source.appended;
    return outbox_oldest_refresh(o, err);
}

bool outbox_open(struct outbox **out, const struct outbox_config *config, struct err *err)
{
    struct outbox *o = outbox_create(config);
    bool ok = outbox_table_open(&o->table, config->path, err);
    if (ok && !source_load(o, err)) {
        ok = err_prefix(err, "open outbox");
        outbox_table_close(&o->table);
    }
    if (ok)
        *out = o;
    else
        outbox_destroy(o);
    return ok;
}

// What Kafka has acknowledged and the file does not know yet is written now, so that a restart
// publishes nothing twice. When that fails a restart does, and totals drops it.
void outbox_close(struct outbox *o)
{
    if (o == NULL)
        return;
    struct err ignored;
    bool more;
    o->tended_appended = o->source.appended; // idle from here on: everything that is due is due now
    (void)!outbox_tend(o, &more, &ignored);
    outbox_table_close(&o->table);
    outbox_destroy(o);
}

bool outbox_backup(const char *path, int fd, struct err *err)
{
    return outbox_table_backup(path, fd, err) || err_prefix(err, "backup");
}

bool outbox_is_backup(const struct outbox *o)
{
    return o->table.store.backup;
}

// --- append ---

struct batch {
    struct outbox_source source; // as it will be
    int64_t first_unix_us;       // accepted time of the first row appended
};

static bool count(struct batch *batch, struct add *add, struct err *err)
{
    struct outbox_source *s = &batch->source;
    if (__builtin_add_overflow(s->sum, (__int128)add->sum, &s->sum))
        return err_set(err, ERR_CORRUPT, "the sum of all sums would wrap");
    if (batch->first_unix_us == 0)
        batch->first_unix_us = add->accepted_unix_us;
    add->outcome = ADD_APPENDED;
    add->sequence = s->appended;
    return true;
}

static bool insert(struct outbox *o, struct batch *batch, struct add *add, struct err *err)
{
    int64_t sequence, sum;
    CHECK(!__builtin_add_overflow(add->a, add->b, &sum) && sum == add->sum);
    if (__builtin_add_overflow(batch->source.appended, 1, &sequence))
        return err_set(err, ERR_CORRUPT, "all sequences are used up");
    bool inserted;
    if (!outbox_table_insert(&o->table, sequence, add, &inserted, err))
        return false;
    if (!inserted)
        return outbox_table_find(&o->table, add, err);
    batch->source.appended = sequence;
    return count(batch, add, err);
}

// A batch of nothing but repeated requests leaves no trace.
static bool write_batch(struct outbox *o, struct batch *batch, struct add *const *adds, size_t n,
                        struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!insert(o, batch, adds[i], err))
            return false;
    }
    if (fault_here(FAULT_outbox_insert))
        return fault(err, ERR_UNAVAILABLE);
    return batch->source.appended == o->source.appended ||
           outbox_table_counts_set(&o->table, &batch->source, err);
}

static void committed_note(struct outbox *o, const struct batch *batch)
{
    const struct stretch stretch = {batch->source.appended, clock_mono_ns(), batch->first_unix_us};
    pthread_mutex_lock(&o->mu);
    timeline_add(&o->committed, &stretch);
    pthread_mutex_unlock(&o->mu);
}

static bool append(struct outbox *o, struct add *const *adds, size_t n, struct err *err)
{
    struct batch batch = {.source = o->source};
    batch.source.published = published_now(o);
    if (!outbox_table_begin(&o->table, err) || !write_batch(o, &batch, adds, n, err)) {
        outbox_abandon(o);
        return false;
    }
    if (!outbox_commit(o, err))
        return false;
    if (batch.source.appended == o->source.appended)
        return true;
    // With nothing unpublished before, the first of these is the oldest; else outbox_tend knows.
    if (published_now(o) == o->source.appended)
        oldest_set(o, batch.first_unix_us);
    committed_note(o, &batch); // before the relay may see the rows
    source_accept(o, &batch.source);
    return true;
}

bool outbox_append(struct outbox *o, struct add *const *adds, size_t n, struct err *err)
{
    CHECK_INT(n, >=, 1);
    CHECK_INT(n, <=, OUTBOX_BATCH_MAX);
    CHECK(!outbox_is_backup(o));
    outbox_turn_take(o);
    const int64_t begun_mono_ns = clock_mono_ns();
    const bool ok = outbox_settle(o, err) && outbox_has_room(o, err) && append(o, adds, n, err);
    outbox_metrics_insert(&o->metrics, begun_mono_ns, ok ? NULL : err);
    outbox_turn_pass(o);
    return ok || err_prefix(err, "append to the outbox");
}

// --- the relay's and everybody's ---

// Release: whoever sees the number may rely on all that its caller did before.
void outbox_published_set(struct outbox *o, int64_t sequence)
{
    CHECK_INT(sequence, <=, atomic_load_explicit(&o->appended, memory_order_acquire)); // I2
    CHECK_INT(sequence, >=, atomic_load_explicit(&o->published, memory_order_relaxed));
    pthread_mutex_lock(&o->mu);
    outbox_metrics_published(&o->metrics, &o->committed, sequence);
    atomic_store_explicit(&o->published, sequence, memory_order_release);
    pthread_mutex_unlock(&o->mu);
}

// Under mu. Of rows from before, and while a replay goes over old ones, the timeline knows nothing.
static int64_t oldest_now(struct outbox *o)
{
    const struct stretch *oldest = timeline_oldest(&o->committed);
    return oldest != NULL && o->committed.taken == published_now(o) ? oldest->first_unix_us
                                                                    : o->oldest_unix_us;
}

void outbox_stats(struct outbox *o, struct outbox_stats *out)
{
    pthread_mutex_lock(&o->mu);
    *out = (struct outbox_stats){
        .source = o->id,
        .published = published_now(o),
        .appended = atomic_load_explicit(&o->appended, memory_order_relaxed),
        .sum = o->sum,
        .partition = o->partition,
        .oldest_unix_us = oldest_now(o),
    };
    pthread_mutex_unlock(&o->mu);
    if (out->published >= out->appended)
        out->oldest_unix_us = 0;
}

// One of the source's numbers alone, outside a batch; durable when true.
static bool write_source(struct outbox *o, const struct outbox_source *source, struct err *err)
{
    if (!outbox_table_begin(&o->table, err) || !outbox_table_counts_set(&o->table, source, err) ||
        !outbox_table_partition_set(&o->table, source->partition, err)) {
        outbox_abandon(o);
        return false;
    }
    if (!outbox_commit(o, err))
        return false;
    source_accept(o, source);
    return true;
}

static bool partition_set(struct outbox *o, int32_t partition, struct err *err)
{
    struct outbox_source source = o->source;
    if (source.partition == partition)
        return true;
    if (source.partition != -1)
        return err_set(err, ERR_EXISTS, "the source has partition %" PRId32 " for ever",
                       source.partition);
    source.partition = partition;
    return write_source(o, &source, err);
}

bool outbox_partition_set(struct outbox *o, int32_t partition, struct err *err)
{
    CHECK_INT(partition, >=, 0);
    outbox_turn_take(o);
    const bool ok = outbox_settle(o, err) && partition_set(o, partition, err);
    outbox_turn_pass(o);
    return ok || err_prefix(err, "choose partition %" PRId32, partition);
}

static bool row_missing(const struct outbox *o, int64_t from, struct err *err)
{
    const struct outbox_source *s = &o->source;
    if (s->first > s->appended)
        return err_set(err, ERR_NOT_FOUND, "row %" PRId64 " is not there: none is kept", from);
    return err_set(err, ERR_NOT_FOUND,
                   "row %" PRId64 " is not there: the oldest kept is %" PRId64
                   ", the newest %" PRId64,
                   from, s->first, s->appended);
}

// To go on from a row that is not published yet is no step back: nothing may be skipped (I2).
static bool rewind_to(struct outbox *o, int64_t from, struct err *err)
{
    struct outbox_source source = o->source;
    if (from < source.first || from > source.appended)
        return row_missing(o, from, err);
    if (from > published_now(o))
        return true;
    int64_t oldest_unix_us; // read first: after the step back nothing may fail, or the relay would
                            // not hear of it
    source.published = from - 1;
    if (!outbox_table_accepted(&o->table, from, &oldest_unix_us, err) ||
        !write_source(o, &source, err))
        return false;
    atomic_store_explicit(&o->published, source.published, memory_order_release);
    oldest_set(o, oldest_unix_us);
    return true;
}

bool outbox_rewind(struct outbox *o, int64_t from, struct err *err)
{
    outbox_turn_take(o);
    const bool ok = outbox_settle(o, err) && rewind_to(o, from, err);
    outbox_turn_pass(o);
    return ok;
}
