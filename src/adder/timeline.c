// SPDX-License-Identifier: Apache-2.0
#include "adder/timeline.h"

#include <string.h>

void timeline_init(struct timeline *t, int64_t taken)
{
    t->taken = taken;
    t->first = t->count = 0;
}

static struct stretch *at(struct timeline *t, size_t i)
{
    return &t->stretches[t->first + i];
}

// The pair i, i + 1 becomes one, with the older time.
static void pair_merge(struct timeline *t, size_t i)
{
    struct stretch *older = at(t, i);
    older->last = older[1].last;
    memmove(&older[1], &older[2], (t->count - i - 2) * sizeof(*older));
    t->count--;
}

static void closest_merge(struct timeline *t)
{
    size_t closest = 0;
    int64_t apart_ns = INT64_MAX;
    for (size_t i = 0; i + 1 < t->count; i++) {
        const int64_t ns = at(t, i + 1)->mono_ns - at(t, i)->mono_ns;
        if (ns < apart_ns) {
            closest = i;
            apart_ns = ns;
        }
    }
    pair_merge(t, closest);
}

static void room_make(struct timeline *t)
{
    if (t->first + t->count < TIMELINE_STRETCHES_MAX)
        return;
    if (t->first == 0)
        closest_merge(t);
    memmove(t->stretches, at(t, 0), t->count * sizeof(t->stretches[0]));
    t->first = 0;
}

void timeline_add(struct timeline *t, const struct stretch *stretch)
{
    const int64_t last = t->count > 0 ? at(t, t->count - 1)->last : t->taken;
    if (stretch->last <= last)
        return;
    if (t->count > 0 && at(t, t->count - 1)->mono_ns == stretch->mono_ns) {
        at(t, t->count - 1)->last = stretch->last;
        return;
    }
    room_make(t);
    *at(t, t->count++) = *stretch;
}

int64_t timeline_take(struct timeline *t, int64_t sequence, int64_t *mono_ns)
{
    if (sequence <= t->taken)
        return 0;
    if (t->count == 0) { // nobody said when
        t->taken = sequence;
        return 0;
    }
    const struct stretch *oldest = at(t, 0);
    const int64_t last = sequence < oldest->last ? sequence : oldest->last;
    const int64_t n = last - t->taken;
    *mono_ns = oldest->mono_ns;
    t->taken = last;
    if (last == oldest->last) {
        t->first++;
        t->count--;
    }
    return n;
}

const struct stretch *timeline_oldest(const struct timeline *t)
{
    return t->count > 0 ? &t->stretches[t->first] : NULL;
}
