// SPDX-License-Identifier: Apache-2.0
#include "totals/state.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

void state_init(struct state *s)
{
    *s = (struct state){.sources = sources_create(STATE_SOURCES_MAX)};
}

void state_clear(struct state *s)
{
    sources_destroy(s->sources);
    free(s->partitions);
    *s = (struct state){0};
}

// The index of the first partition that is not below this one.
static size_t partition_search(const struct state *s, int32_t partition)
{
    size_t low = 0, high = s->partitions_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->partitions[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct state *s, size_t index, int32_t partition)
{
    return index < s->partitions_count && s->partitions[index].partition == partition;
}

struct partition *state_partition_find(const struct state *s, int32_t partition)
{
    const size_t index = partition_search(s, partition);
    return is_at(s, index, partition) ? &s->partitions[index] : NULL;
}

struct partition *state_partition_add(struct state *s, int32_t partition)
{
    const size_t index = partition_search(s, partition);
    struct partition *place = s->partitions + index;
    if (is_at(s, index, partition))
        return place;
    if (s->partitions_count == s->partitions_capacity) {
        s->partitions_capacity =
            s->partitions_capacity == 0 ? FIRST_CAPACITY : 2 * s->partitions_capacity;
        s->partitions = xrealloc(s->partitions, s->partitions_capacity * sizeof(*s->partitions));
        place = s->partitions + index;
    }
    memmove(place + 1, place, (s->partitions_count++ - index) * sizeof(*place));
    *place = (struct partition){
        .partition = partition, .next_offset = STATE_OFFSET_NONE, .seen_offset = STATE_OFFSET_NONE};
    return place;
}
