// SPDX-License-Identifier: Apache-2.0
// Random histories that can be had again: the seed is the first argument, or ABACUS_TEST_SEED, or a
// fresh one, and is printed.
#ifndef ABACUS_TESTS_RANDOM_H
#define ABACUS_TESTS_RANDOM_H

#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static inline uint64_t random_seed(int argc, char **argv)
{
    const char *given = argc > 1 ? argv[1] : getenv("ABACUS_TEST_SEED");
    uint64_t seed = 0;
    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        abort();
    printf("# seed %" PRIu64 "\n", seed);
    fflush(stdout); // a child must not print it again
    return seed;
}

// SplitMix64: any seed is good.
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

// 0..n-1
static inline int64_t random_below(uint64_t *state, int64_t n)
{
    return (int64_t)(random_next(state) % (uint64_t)n);
}

static inline bool random_percent(uint64_t *state, int64_t percent)
{
    return random_below(state, 100) < percent;
}

#endif
