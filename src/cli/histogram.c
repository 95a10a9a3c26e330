// SPDX-License-Identifier: Apache-2.0
#include "cli/histogram.h"

#include <assert.h>

#define PART_BITS 7 // 128 parts a power of two

static_assert(HISTOGRAM_BUCKETS == (62 - PART_BITS + 2) << PART_BITS,
              "INT64_MAX, whose highest bit is 62, must have the last bucket");

// How many low bits of the value its bucket ignores.
static int shift_of(uint64_t value)
{
    const int highest_bit = 63 - __builtin_clzll(value | 1);
    return highest_bit > PART_BITS ? highest_bit - PART_BITS : 0;
}

static size_t bucket_of(int64_t value)
{
    const uint64_t v = value < 0 ? 0 : (uint64_t)value;
    const int shift = shift_of(v);
    return ((size_t)shift << PART_BITS) + (size_t)(v >> shift);
}

// The largest value of a bucket.
static int64_t bucket_end(size_t bucket)
{
    const size_t parts = (size_t)1 << PART_BITS;
    const int shift = bucket < 2 * parts ? 0 : (int)(bucket >> PART_BITS) - 1;
    const uint64_t first = (uint64_t)(bucket - ((size_t)shift << PART_BITS)) << shift;
    return (int64_t)(first + ((UINT64_C(1) << shift) - 1));
}

void histogram_add(struct histogram *h, int64_t value)
{
    h->counts[bucket_of(value)]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

int64_t histogram_percentile(const struct histogram *h, double share)
{
    CHECK(share >= 0 && share <= 1);
    const double exact = share * (double)h->count;
    int64_t wanted = (int64_t)exact;
    if ((double)wanted < exact || wanted == 0)
        wanted++;
    int64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen >= wanted) {
            const int64_t end = bucket_end(i);
            return end < h->max ? end : h->max;
        }
    }
    return 0;
}
