// SPDX-License-Identifier: Apache-2.0
#include "totals/view.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Sums over all sources, kept up to date so that reading them costs the same however many there
// are.
struct sums {
    int64_t count, duplicates, dead_letters;
    __int128 sum, missing; // holes of several sources may be more than 64 bits hold
};

struct view {
    pthread_mutex_t mu;
    // shared, under mu; written by the consumer only
    struct state state;
    struct sums sums;
};

struct view *view_create(void)
{
    struct view *v = xcalloc(1, sizeof(*v));
    pthread_mutex_init(&v->mu, NULL);
    state_init(&v->state);
    return v;
}

void view_destroy(struct view *v)
{
    if (v == NULL)
        return;
    state_clear(&v->state);
    pthread_mutex_destroy(&v->mu);
    free(v);
}

const struct state *view_committed(const struct view *v)
{
    return &v->state;
}

// --- the consumer's side ---

static void put_source(struct view *v, const struct source *source)
{
    struct source *mine = sources_add(v->state.sources, &source->id);
    CHECK(mine != NULL); // both states have the same limit
    v->sums.count += source->count - mine->count;
    v->sums.duplicates += source->duplicates - mine->duplicates;
    v->sums.sum += source->sum - mine->sum;
    if (source->ranges_changed)
        v->sums.missing += position_missing(&source->position) - position_missing(&mine->position);
    source_copy(mine, source, source->ranges_changed);
}

static void put_partition(struct view *v, struct partition *p)
{
    struct partition *mine = state_partition_add(&v->state, p->partition);
    p->touched = false;
    v->sums.dead_letters += p->dead_letters - mine->dead_letters;
    *mine = *p;
}

static void put_locked(struct view *v, struct state *state)
{
    v->state.id = state->id;
    v->state.version = state->version;
    for (struct source *source; (source = sources_touched_take(state->sources)) != NULL;)
        put_source(v, source);
    for (size_t i = 0; i < state->partitions_count; i++) {
        if (state->partitions[i].touched)
            put_partition(v, &state->partitions[i]);
    }
}

void view_put(struct view *v, struct state *state)
{
    pthread_mutex_lock(&v->mu);
    put_locked(v, state);
    pthread_mutex_unlock(&v->mu);
}

void view_replace(struct view *v, struct state *state)
{
    pthread_mutex_lock(&v->mu);
    state_clear(&v->state);
    state_init(&v->state);
    v->sums = (struct sums){0};
    put_locked(v, state);
    pthread_mutex_unlock(&v->mu);
}

static void restore_sources(const struct view *v, struct sources *sources)
{
    for (struct source *source; (source = sources_touched_take(sources)) != NULL;) {
        const struct source *mine = sources_find(v->state.sources, &source->id);
        if (mine == NULL)
            sources_remove(sources, source);
        else
            source_copy(source, mine, source->ranges_changed);
    }
}

void view_restore(const struct view *v, struct state *state)
{
    state->version = v->state.version;
    restore_sources(v, state->sources);
    for (size_t i = 0; i < state->partitions_count; i++) {
        struct partition *p = &state->partitions[i];
        const struct partition *mine = state_partition_find(&v->state, p->partition);
        p->next_offset = mine == NULL ? STATE_OFFSET_NONE : mine->next_offset;
        p->dead_letters = mine == NULL ? 0 : mine->dead_letters;
        p->touched = false;
    }
}

// --- the readers' side ---

static void copy_total(const struct view *v, struct ledger_total *out)
{
    const __int128 missing = v->sums.missing;
    *out = (struct ledger_total){
        .ledger = v->state.id,
        .version = v->state.version,
        .count = v->sums.count,
        .sum = v->sums.sum,
        .sources = (int64_t)sources_count(v->state.sources),
        .missing = missing > INT64_MAX ? INT64_MAX : (int64_t)missing,
        .duplicates = v->sums.duplicates,
        .dead_letters = v->sums.dead_letters,
    };
}

void view_read_total(struct view *v, struct ledger_total *out)
{
    pthread_mutex_lock(&v->mu);
    copy_total(v, out);
    pthread_mutex_unlock(&v->mu);
}

static struct range *copy_ranges(const struct position *position)
{
    if (position->missing_count == 0)
        return NULL;
    const size_t bytes = position->missing_count * sizeof(*position->missing);
    return memcpy(xmalloc(bytes), position->missing, bytes);
}

static struct ledger_source copy_source(const struct source *source)
{
    return (struct ledger_source){
        .source = source->id,
        .partition = source->partition,
        .highest = source->position.highest,
        .count = source->count,
        .duplicates = source->duplicates,
        .missing_events = position_missing(&source->position),
        .sum = source->sum,
        .applied_unix_us = source->applied_unix_us,
        .accepted_unix_us = source->accepted_unix_us,
        .missing = copy_ranges(&source->position),
        .missing_count = source->position.missing_count,
    };
}

static int by_id(const void *left, const void *right)
{
    const struct ledger_source *a = left, *b = right;
    return memcmp(a->source.text, b->source.text, UUID_LENGTH);
}

size_t view_read_sources(struct view *v, struct ledger_source **list)
{
    pthread_mutex_lock(&v->mu);
    const size_t n = sources_count(v->state.sources);
    struct ledger_source *copies = n == 0 ? NULL : xmalloc(n * sizeof(*copies));
    for (size_t i = 0; i < n; i++)
        copies[i] = copy_source(sources_at(v->state.sources, i));
    pthread_mutex_unlock(&v->mu);
    if (n > 1)
        qsort(copies, n, sizeof(*copies), by_id);
    *list = copies;
    return n;
}

bool view_read_source(struct view *v, const struct uuid *source, struct ledger_source **one)
{
    pthread_mutex_lock(&v->mu);
    const struct source *found = sources_find(v->state.sources, source);
    if (found != NULL) {
        *one = xmalloc(sizeof(**one));
        **one = copy_source(found);
    }
    pthread_mutex_unlock(&v->mu);
    return found != NULL;
}

// The table only grows until it is loaded anew, so the first stay the first.
size_t view_read_counts(struct view *v, struct ledger_count *out, size_t max,
                        struct ledger_total *total)
{
    pthread_mutex_lock(&v->mu);
    const size_t all = sources_count(v->state.sources), n = all < max ? all : max;
    for (size_t i = 0; i < n; i++) {
        const struct source *source = sources_at(v->state.sources, i);
        out[i] = (struct ledger_count){.source = source->id,
                                       .highest = source->position.highest,
                                       .applied = source->count,
                                       .duplicates = source->duplicates};
    }
    copy_total(v, total);
    pthread_mutex_unlock(&v->mu);
    return n;
}

size_t view_read_partitions(struct view *v, struct ledger_partition **list)
{
    pthread_mutex_lock(&v->mu);
    const size_t n = v->state.partitions_count;
    struct ledger_partition *copies = n == 0 ? NULL : xmalloc(n * sizeof(*copies));
    for (size_t i = 0; i < n; i++) {
        const struct partition *p = &v->state.partitions[i];
        copies[i] = (struct ledger_partition){.partition = p->partition,
                                              .next_offset = p->next_offset,
                                              .dead_letters = p->dead_letters};
    }
    pthread_mutex_unlock(&v->mu);
    *list = copies;
    return n;
}
