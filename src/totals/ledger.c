// SPDX-License-Identifier: Apache-2.0
// Three parts: the file (ledger_store.h), the consumer's state, and the readers' state (view.h).
//
//             stage                     commit
//   events ─────────▶ working ┬───────────────▶ view ─▶ readers
//                             └─▶ open transaction ─▶ file
//
// A rollback makes working equal to the view again. Whenever it is not certain what the file holds
// (stale), both states are loaded from it before anything else happens.
#include "totals/ledger.h"

#include "base/clock.h"
#include "base/fault.h"
#include "totals/ledger_store.h"
#include "totals/state.h"
#include "totals/view.h"

#include <stdlib.h>

struct ledger {
    // fixed before the consumer starts
    void (*on_change)(void *ctx);
    void *ctx;
    // the consumer's thread only
    struct ledger_store *store; // owned
    struct state working;
    bool staged; // a transaction is open
    bool stale;  // the file may say something else than working and view
    // any thread
    struct view *view; // owned
};

// What the consumer has seen of the partitions is not what is loaded: it has to ask for that.
static void keep_seen_offsets(struct state *loaded, const struct state *old)
{
    for (size_t i = 0; i < old->partitions_count; i++) {
        const struct partition *p = &old->partitions[i];
        state_partition_add(loaded, p->partition)->seen_offset = p->seen_offset;
    }
}

static bool load(struct ledger *ledger, struct err *err)
{
    struct state loaded;
    state_init(&loaded);
    if (!ledger_store_load(ledger->store, &loaded, err)) {
        state_clear(&loaded);
        return err_prefix(err, "load ledger");
    }
    keep_seen_offsets(&loaded, &ledger->working);
    state_clear(&ledger->working);
    ledger->working = loaded;
    view_replace(ledger->view, &ledger->working);
    ledger->stale = false;
    return true;
}

static void changed(struct ledger *ledger)
{
    if (ledger->on_change != NULL)
        ledger->on_change(ledger->ctx);
}

static bool load_if_stale(struct ledger *ledger, struct err *err)
{
    if (!ledger->stale)
        return true;
    if (!load(ledger, err))
        return false;
    changed(ledger);
    return true;
}

bool ledger_open(struct ledger **out, const char *path, struct err *err)
{
    struct ledger *ledger = xcalloc(1, sizeof(*ledger));
    ledger->view = view_create();
    state_init(&ledger->working);
    if (!ledger_store_open(&ledger->store, path, err) || !load(ledger, err)) {
        ledger_close(ledger);
        return false;
    }
    *out = ledger;
    return true;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    ledger_store_close(ledger->store);
    state_clear(&ledger->working);
    view_destroy(ledger->view);
    free(ledger);
}

bool ledger_backup(const char *path, int fd, struct err *err)
{
    return ledger_store_backup(path, fd, err) || err_prefix(err, "backup");
}

bool ledger_offset(struct ledger *ledger, int32_t partition, int64_t *offset, struct err *err)
{
    CHECK(!ledger->staged);
    int64_t stored;
    if (!ledger_store_offset(ledger->store, partition, &stored, err))
        return err_prefix(err, "offset of partition %d", partition);
    // Somebody else moved it, and the positions of its sources with it.
    if (stored != state_partition_add(&ledger->working, partition)->next_offset)
        ledger->stale = true;
    if (!load_if_stale(ledger, err))
        return false;
    struct partition *p = state_partition_find(&ledger->working, partition);
    p->seen_offset = p->next_offset;
    *offset = p->next_offset;
    return true;
}

bool ledger_has(struct ledger *ledger, const struct event *event)
{
    CHECK(!ledger->staged);
    const struct sources *sources = ledger->working.sources;
    const struct source *source = sources_find(sources, &event->source);
    if (source == NULL)
        return sources_count(sources) == STATE_SOURCES_MAX;
    return position_has(&source->position, event->sequence) ||
           source->position.missing_count == APPLY_RANGES_MAX;
}

// --- stage ---

static void apply_event(struct ledger *ledger, struct ledger_entry *entry, int64_t now_unix_us)
{
    struct sources *sources = ledger->working.sources;
    struct source *source = sources_add(sources, &entry->event.source);
    entry->verdict = APPLY_REFUSED;
    if (source == NULL)
        return;
    const int64_t highest = source->position.highest;
    const size_t ranges = source->position.missing_count;
    entry->verdict = sources_apply(sources, source, &entry->event, entry->partition, now_unix_us);
    if (source->position.highest > highest)
        entry->skipped = source->position.highest - highest - 1;
    entry->closed = source->position.missing_count < ranges;
}

static void apply_entry(struct ledger *ledger, struct ledger_entry *entry, int64_t now_unix_us)
{
    struct partition *p = state_partition_add(&ledger->working, entry->partition);
    CHECK_INT(entry->offset, >=, p->touched ? p->next_offset : 0);
    CHECK_INT(entry->offset, <, INT64_MAX);
    entry->skipped = 0;
    entry->closed = false;
    if (!entry->dead_letter)
        apply_event(ledger, entry, now_unix_us);
    if (entry->dead_letter || entry->verdict == APPLY_REFUSED)
        p->dead_letters++;
    p->next_offset = entry->offset + 1;
    p->touched = true;
}

static bool write_staged(struct ledger *ledger, struct err *err)
{
    if (!ledger_store_write(ledger->store, &ledger->working, view_committed(ledger->view), err)) {
        ledger->stale = err->code == ERR_CONFLICT;
        return false;
    }
    if (fault_here(FAULT_ledger_apply))
        return err_set(err, ERR_UNAVAILABLE, "fault injected after applying");
    return true;
}

bool ledger_stage(struct ledger *ledger, struct ledger_entry *entries, size_t n, struct err *err)
{
    CHECK(!ledger->staged);
    CHECK(n >= 1 && n <= LEDGER_BATCH_MAX);
    if (!load_if_stale(ledger, err))
        return false;
    if (!ledger_store_begin(ledger->store, err))
        return err_prefix(err, "begin a batch of %zu", n);
    ledger->staged = true;
    const int64_t now_unix_us = clock_unix_us();
    for (size_t i = 0; i < n; i++)
        apply_entry(ledger, &entries[i], now_unix_us);
    if (write_staged(ledger, err))
        return true;
    ledger_rollback(ledger);
    return err_prefix(err, "apply a batch of %zu", n);
}

// --- commit, rollback ---

void ledger_rollback(struct ledger *ledger)
{
    if (!ledger->staged)
        return;
    ledger->staged = false;
    ledger_store_rollback(ledger->store);
    view_restore(ledger->view, &ledger->working);
}

// What was written is what the consumer now knows.
static void see_offsets(struct state *state)
{
    for (size_t i = 0; i < state->partitions_count; i++) {
        if (state->partitions[i].touched)
            state->partitions[i].seen_offset = state->partitions[i].next_offset;
    }
}

// A commit that failed may be in the file all the same: only the file can tell.
static bool commit_failed(struct ledger *ledger, struct err *err)
{
    const int64_t version = view_committed(ledger->view)->version;
    struct err load_err;
    ledger_rollback(ledger);
    ledger->stale = true;
    if (!load_if_stale(ledger, &load_err) || view_committed(ledger->view)->version != version)
        err->code = ERR_UNKNOWN;
    return err_prefix(err, "commit");
}

bool ledger_commit(struct ledger *ledger, struct err *err)
{
    CHECK(ledger->staged);
    if (fault_here(FAULT_ledger_commit)) {
        ledger_rollback(ledger);
        return err_set(err, ERR_UNAVAILABLE, "fault injected before the commit");
    }
    if (!ledger_store_commit(ledger->store, err))
        return commit_failed(ledger, err);
    if (fault_here(FAULT_ledger_durable)) {
        err_set(err, ERR_UNAVAILABLE, "fault injected after the commit");
        return commit_failed(ledger, err);
    }
    ledger->staged = false;
    ledger->working.version++;
    see_offsets(&ledger->working);
    view_put(ledger->view, &ledger->working); // L3: only now
    changed(ledger);
    return true;
}

// --- reading ---

void ledger_total(struct ledger *ledger, struct ledger_total *out)
{
    view_read_total(ledger->view, out);
}

size_t ledger_sources(struct ledger *ledger, struct ledger_source **list)
{
    return view_read_sources(ledger->view, list);
}

bool ledger_source(struct ledger *ledger, const struct uuid *source, struct ledger_source **one)
{
    return view_read_source(ledger->view, source, one);
}

void ledger_sources_free(struct ledger_source *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].missing);
    free(list);
}

size_t ledger_counts(struct ledger *ledger, struct ledger_count *out, size_t max,
                     struct ledger_total *total)
{
    return view_read_counts(ledger->view, out, max, total);
}

size_t ledger_partitions(struct ledger *ledger, struct ledger_partition **list)
{
    return view_read_partitions(ledger->view, list);
}

void ledger_on_change(struct ledger *ledger, void (*on_change)(void *ctx), void *ctx)
{
    ledger->on_change = on_change;
    ledger->ctx = ctx;
}
