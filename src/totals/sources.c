// SPDX-License-Identifier: Apache-2.0
#include "totals/sources.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 16 // a power of two, as all later ones

struct sources {
    size_t limit;
    size_t count, capacity;
    struct source **items;   // dense, for walking
    struct source **buckets; // chains by hash
    size_t buckets_mask;     // their number - 1; at least as many buckets as sources
    struct source *touched;
};

struct sources *sources_create(size_t limit)
{
    struct sources *s = xcalloc(1, sizeof(*s));
    s->limit = limit;
    s->buckets_mask = FIRST_BUCKETS - 1;
    s->buckets = xcalloc(FIRST_BUCKETS, sizeof(struct source *));
    return s;
}

static void source_destroy(struct source *source)
{
    position_clear(&source->position);
    free(source);
}

void sources_destroy(struct sources *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        source_destroy(s->items[i]);
    free(s->items);
    free(s->buckets);
    free(s);
}

size_t sources_count(const struct sources *s)
{
    return s->count;
}

struct source *sources_at(const struct sources *s, size_t index)
{
    CHECK_INT(index, <, s->count);
    return s->items[index];
}

// Ids are random UUIDs, so mixing is enough. Whoever could choose them to collide may write to the
// topic, and there has worse at hand than to make us slow.
static uint64_t hash(const struct uuid *id)
{
    static_assert(UUID_LENGTH == 36, "four words and a half");
    uint64_t words[5] = {0}, mixed = 0;
    memcpy(words, id->text, UUID_LENGTH);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        mixed = (mixed ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15); // 2^64 / golden ratio, odd
        mixed ^= mixed >> 32;
    }
    return mixed;
}

static struct source **bucket_of(const struct sources *s, const struct uuid *id)
{
    return &s->buckets[hash(id) & s->buckets_mask];
}

struct source *sources_find(const struct sources *s, const struct uuid *id)
{
    struct source *source = *bucket_of(s, id);
    while (source != NULL && !uuid_equal(&source->id, id))
        source = source->next_in_bucket;
    return source;
}

static void chain(struct sources *s, struct source *source)
{
    struct source **bucket = bucket_of(s, &source->id);
    source->next_in_bucket = *bucket;
    *bucket = source;
}

// One more bucket than sources at least, so that chains stay short.
static void grow(struct sources *s)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? FIRST_BUCKETS : 2 * s->capacity;
        s->items = xrealloc(s->items, s->capacity * sizeof(struct source *));
    }
    if (s->count <= s->buckets_mask)
        return;
    const size_t buckets = 2 * (s->buckets_mask + 1);
    free(s->buckets);
    s->buckets = xcalloc(buckets, sizeof(struct source *));
    s->buckets_mask = buckets - 1;
    for (size_t i = 0; i < s->count; i++)
        chain(s, s->items[i]);
}

struct source *sources_add(struct sources *s, const struct uuid *id)
{
    struct source *source = sources_find(s, id);
    if (source != NULL)
        return source;
    if (s->count == s->limit)
        return NULL;
    grow(s);
    source = xcalloc(1, sizeof(*source));
    source->id = *id;
    source->index = s->count;
    s->items[s->count++] = source;
    chain(s, source);
    return source;
}

void sources_remove(struct sources *s, struct source *source)
{
    CHECK(!source->touched);
    struct source **link = bucket_of(s, &source->id);
    while (*link != source)
        link = &(*link)->next_in_bucket;
    *link = source->next_in_bucket;
    struct source *last = s->items[--s->count];
    s->items[source->index] = last;
    last->index = source->index;
    source_destroy(source);
}

static void ranges_copy(struct position *to, const struct position *from)
{
    position_clear(to);
    if (from->missing_count == 0)
        return;
    to->missing = xmalloc(from->missing_count * sizeof(*to->missing));
    memcpy(to->missing, from->missing, from->missing_count * sizeof(*to->missing));
    to->missing_count = to->missing_capacity = from->missing_count;
}

void source_copy(struct source *to, const struct source *from, bool with_ranges)
{
    CHECK(uuid_equal(&to->id, &from->id));
    to->partition = from->partition;
    to->count = from->count;
    to->duplicates = from->duplicates;
    to->sum = from->sum;
    to->applied_unix_us = from->applied_unix_us;
    to->accepted_unix_us = from->accepted_unix_us;
    if (with_ranges)
        ranges_copy(&to->position, &from->position);
    to->position.highest = from->position.highest;
}

// L1 of ledger.h: count and sum move exactly when the position does.
static void count_new(struct source *source, const struct event *event, int64_t now_unix_us)
{
    source->count++;
    source->sum += event->sum;
    source->applied_unix_us = now_unix_us;
    source->accepted_unix_us = event->accepted_unix_us;
}

enum apply_verdict sources_apply(struct sources *s, struct source *source,
                                 const struct event *event, int32_t partition, int64_t now_unix_us)
{
    const bool in_order = event->sequence - 1 == source->position.highest;
    const enum apply_verdict verdict = position_apply(&source->position, event->sequence);
    if (verdict == APPLY_REFUSED)
        return verdict;
    if (verdict == APPLY_NEW)
        count_new(source, event, now_unix_us);
    else
        source->duplicates++;
    source->partition = partition;
    sources_touch(s, source);
    if (verdict == APPLY_NEW && !in_order)
        source->ranges_changed = true;
    return verdict;
}

struct source *sources_touched(const struct sources *s)
{
    return s->touched;
}

void sources_touch(struct sources *s, struct source *source)
{
    if (source->touched)
        return;
    source->touched = true;
    source->ranges_changed = false;
    source->next_touched = s->touched;
    s->touched = source;
}

struct source *sources_touched_take(struct sources *s)
{
    struct source *source = s->touched;
    if (source == NULL)
        return NULL;
    s->touched = source->next_touched;
    source->touched = false;
    return source;
}
