// SPDX-License-Identifier: Apache-2.0
#include "totals/apply.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 4 // holes are rare and few

void position_clear(struct position *p)
{
    free(p->missing);
    *p = (struct position){0};
}

// Makes room for one more range at index. Whoever calls has checked the limit.
static struct range *insert_at(struct position *p, size_t index)
{
    CHECK_INT(p->missing_count, <, APPLY_RANGES_MAX);
    if (p->missing_count == p->missing_capacity) {
        p->missing_capacity = p->missing_capacity == 0 ? FIRST_CAPACITY : 2 * p->missing_capacity;
        p->missing = xrealloc(p->missing, p->missing_capacity * sizeof(*p->missing));
    }
    struct range *place = p->missing + index;
    memmove(place + 1, place, (p->missing_count - index) * sizeof(*place));
    p->missing_count++;
    return place;
}

static void remove_at(struct position *p, size_t index)
{
    struct range *place = p->missing + index;
    memmove(place, place + 1, (p->missing_count - index - 1) * sizeof(*place));
    p->missing_count--;
}

// Above the highest: what lies between is missing from now on. The range before, if any, ends below
// the old highest, so the two do not touch.
static enum apply_verdict advance(struct position *p, int64_t sequence)
{
    const struct range skipped = {.first = p->highest + 1, .last = sequence - 1};
    if (skipped.first <= skipped.last) {
        if (p->missing_count == APPLY_RANGES_MAX)
            return APPLY_REFUSED;
        *insert_at(p, p->missing_count) = skipped;
    }
    p->highest = sequence;
    return APPLY_NEW;
}

// The index of the first range that ends at or after the sequence.
static size_t range_search(const struct position *p, int64_t sequence)
{
    size_t low = 0, high = p->missing_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (p->missing[middle].last < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// In the middle of a range: it becomes two.
static enum apply_verdict split(struct position *p, size_t index, int64_t sequence)
{
    if (p->missing_count == APPLY_RANGES_MAX)
        return APPLY_REFUSED;
    struct range *lower = insert_at(p, index);
    lower[0] = (struct range){.first = lower[1].first, .last = sequence - 1};
    lower[1].first = sequence + 1;
    return APPLY_NEW;
}

// At or below the highest: new only if it was missing.
static enum apply_verdict arrive_late(struct position *p, int64_t sequence)
{
    const size_t index = range_search(p, sequence);
    if (index == p->missing_count || p->missing[index].first > sequence)
        return APPLY_DUPLICATE;
    struct range *range = p->missing + index;
    if (range->first == range->last)
        remove_at(p, index);
    else if (range->first == sequence)
        range->first++;
    else if (range->last == sequence)
        range->last--;
    else
        return split(p, index, sequence);
    return APPLY_NEW;
}

enum apply_verdict position_apply(struct position *p, int64_t sequence)
{
    CHECK_INT(sequence, >=, 1);
    return sequence > p->highest ? advance(p, sequence) : arrive_late(p, sequence);
}

bool position_has(const struct position *p, int64_t sequence)
{
    const size_t index = range_search(p, sequence);
    const bool missing = index < p->missing_count && p->missing[index].first <= sequence;
    return sequence <= p->highest && !missing;
}

bool position_range_add(struct position *p, struct range range)
{
    const int64_t before = p->missing_count == 0 ? -1 : p->missing[p->missing_count - 1].last;
    if (range.first < 1 || range.first > range.last || range.last >= p->highest ||
        range.first - 1 <= before || p->missing_count == APPLY_RANGES_MAX)
        return false;
    *insert_at(p, p->missing_count) = range;
    return true;
}

// No overflow: ranges do not overlap and lie within 1..highest.
int64_t position_missing(const struct position *p)
{
    int64_t missing = 0;
    for (size_t i = 0; i < p->missing_count; i++)
        missing += p->missing[i].last - p->missing[i].first + 1;
    return missing;
}
