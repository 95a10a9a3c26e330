// SPDX-License-Identifier: Apache-2.0
// The apply rule once more, slow and obvious: a byte for every sequence says whether it was seen.
#ifndef ABACUS_TESTS_TOTALS_MODEL_H
#define ABACUS_TESTS_TOTALS_MODEL_H

#include "unit.h"

#include "totals/apply.h"

#include <stdlib.h>

struct model {
    bool *seen; // owned; 0..limit+1; 0 is no sequence and counts as seen
    int64_t limit, highest, count, duplicates;
    size_t holes;
    __int128 sum;
};

static inline struct model model_create(int64_t limit)
{
    struct model m = {.limit = limit, .seen = xcalloc((size_t)limit + 2, sizeof(bool))};
    m.seen[0] = true;
    return m;
}

static inline enum apply_verdict model_apply(struct model *m, int64_t sequence, int64_t sum)
{
    assert_true(sequence >= 1 && sequence <= m->limit);
    if (m->seen[sequence]) {
        m->duplicates++;
        return APPLY_DUPLICATE;
    }
    const bool above = sequence > m->highest;
    const bool below_seen = m->seen[sequence - 1], above_seen = above || m->seen[sequence + 1];
    const bool opens = above ? !below_seen : !below_seen && !above_seen;
    const bool closes = !above && below_seen && above_seen;
    if (opens && m->holes == APPLY_RANGES_MAX)
        return APPLY_REFUSED;
    m->holes = m->holes + (opens ? 1 : 0) - (closes ? 1 : 0);
    m->highest = above ? sequence : m->highest;
    m->seen[sequence] = true;
    m->count++;
    m->sum += sum;
    return APPLY_NEW;
}

// Walks all sequences: the ranges must be exactly what was not seen.
static inline void model_check_ranges(const struct model *m, const struct range *ranges,
                                      size_t count)
{
    size_t index = 0;
    for (int64_t s = 1; s <= m->highest; s++) {
        if (m->seen[s])
            continue;
        EXPECT(index < count && ranges[index].first == s, "%lld is missing, range %zu is wrong",
               (long long)s, index);
        while (s < m->highest && !m->seen[s + 1])
            s++;
        EXPECT(ranges[index].last == s, "%lld ends range %zu", (long long)s, index);
        index++;
    }
    assert_int_equal(index, count);
    assert_int_equal(index, m->holes);
}

#endif
