// SPDX-License-Identifier: Apache-2.0
#include "cli/histogram.h"

#include "unit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct histogram histogram; // large for a stack

static void empty_one_gives_0(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    assert_int_equal(histogram_percentile(&histogram, 0), 0);
    assert_int_equal(histogram_percentile(&histogram, 0.99), 0);
    assert_int_equal(histogram_percentile(&histogram, 1), 0);
}

// Every bucket's edges: what is stored is never smaller, and at most 1/128 larger.
static void any_value_is_known_to_within_a_128th(void **state)
{
    (void)state;
    for (int bit = 0; bit < 63; bit++) {
        for (int64_t offset = -2; offset <= 2; offset++) {
            const int64_t value = (INT64_C(1) << bit) + offset;
            if (value < 0)
                continue;
            memset(&histogram, 0, sizeof(histogram));
            histogram_add(&histogram, value);
            histogram_add(&histogram, INT64_MAX);
            const int64_t got = histogram_percentile(&histogram, 0.5);
            EXPECT(got >= value && got - value <= value / 128, "%" PRId64 ": got %" PRId64, value,
                   got);
        }
    }
}

static void small_values_are_exact_and_negative_ones_count_as_0(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    histogram_add(&histogram, -5);
    for (int64_t value = 1; value < 100; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_percentile(&histogram, 0), 0);
    assert_int_equal(histogram_percentile(&histogram, 0.5), 49);
    assert_int_equal(histogram_percentile(&histogram, 0.99), 98);
    assert_int_equal(histogram_percentile(&histogram, 1), 99);
}

static void the_largest_sample_is_never_exceeded(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    histogram_add(&histogram, 1000001);
    assert_int_equal(histogram_percentile(&histogram, 0.5), 1000001);
    assert_int_equal(histogram_percentile(&histogram, 1), 1000001);
}

static int by_value(const void *left, const void *right)
{
    const int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;
    return (l > r) - (l < r);
}

static void percentiles_agree_with_a_sorted_list(void **state)
{
    (void)state;
    enum { SAMPLES = 20000 };
    static int64_t samples[SAMPLES];
    const unsigned seed = 20260131;
    print_message("seed %u\n", seed);
    srandom(seed);
    memset(&histogram, 0, sizeof(histogram));
    for (size_t i = 0; i < SAMPLES; i++) {
        samples[i] = random() >> (random() % 31);
        histogram_add(&histogram, samples[i]);
    }
    qsort(samples, SAMPLES, sizeof(samples[0]), by_value);
    static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < COUNT_OF(shares); i++) {
        const int64_t want = samples[(size_t)(shares[i] * SAMPLES) - 1];
        const int64_t got = histogram_percentile(&histogram, shares[i]);
        EXPECT(got >= want && got - want <= want / 128, "%g: got %" PRId64 ", want %" PRId64,
               shares[i], got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_one_gives_0),
        cmocka_unit_test(any_value_is_known_to_within_a_128th),
        cmocka_unit_test(small_values_are_exact_and_negative_ones_count_as_0),
        cmocka_unit_test(the_largest_sample_is_never_exceeded),
        cmocka_unit_test(percentiles_agree_with_a_sorted_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
