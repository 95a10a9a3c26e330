// SPDX-License-Identifier: Apache-2.0
#include "cli/load_stats.h"

#include "unit.h"

#include <inttypes.h>

static void what_a_result_says_of_an_add(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct grpc_result result;
        enum load_fate fate;
    } table[] = {
        {"answered", {.status = GRPC_OK, .answered = true}, LOAD_ACKNOWLEDGED},
        {"the sum does not fit", {.status = GRPC_OUT_OF_RANGE, .answered = true}, LOAD_REFUSED},
        {"bad id", {.status = GRPC_INVALID_ARGUMENT, .answered = true}, LOAD_REFUSED},
        {"queue full", {.status = GRPC_RESOURCE_EXHAUSTED, .answered = true}, LOAD_REFUSED},
        {"no adder", {.status = GRPC_UNIMPLEMENTED, .answered = true}, LOAD_REFUSED},
        {"never sent", {.status = GRPC_UNAVAILABLE, .not_processed = true}, LOAD_REFUSED},
        {"refused stream", {.status = GRPC_UNAVAILABLE, .not_processed = true}, LOAD_REFUSED},
        {"commit of unknown outcome", {.status = GRPC_UNAVAILABLE, .answered = true}, LOAD_UNKNOWN},
        {"connection lost", {.status = GRPC_UNAVAILABLE}, LOAD_UNKNOWN},
        {"our deadline", {.status = GRPC_DEADLINE_EXCEEDED}, LOAD_UNKNOWN},
        {"its deadline", {.status = GRPC_DEADLINE_EXCEEDED, .answered = true}, LOAD_UNKNOWN},
        {"cancelled", {.status = GRPC_CANCELLED}, LOAD_UNKNOWN},
        {"a bug there", {.status = GRPC_INTERNAL, .answered = true}, LOAD_UNKNOWN},
        {"reset: calm down", {.status = GRPC_RESOURCE_EXHAUSTED}, LOAD_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        EXPECT(load_fate(&table[i].result) == table[i].fate, "%s: got %d, want %d", table[i].what,
               load_fate(&table[i].result), table[i].fate);
}

static void every_add_is_in_one_column_and_the_rest_in_flight(void **state)
{
    (void)state;
    static struct load_stats stats;
    stats = (struct load_stats){.begun = 5};
    load_stats_end(&stats, LOAD_ACKNOWLEDGED, 10);
    load_stats_end(&stats, LOAD_ACKNOWLEDGED, 20);
    load_stats_end(&stats, LOAD_UNKNOWN, 300);
    load_stats_end(&stats, LOAD_REFUSED, 4000);
    assert_int_equal(load_stats_in_flight(&stats), 1);
    assert_int_equal(stats.acknowledged, 2);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.unknown, 1);
    assert_true(stats.acknowledged_sum == 30);
    assert_true(stats.unknown_sum == 300);
}

// 10 acknowledged with sum 100; in the second half also 3 of unknown fate with sum 6.
static void the_gain_must_be_what_was_acknowledged_and_at_most_what_is_unknown(void **state)
{
    (void)state;
    static const struct {
        int64_t unknown, count, sum;
        bool settled;
        enum load_verdict verdict;
    } table[] = {
        {0, 10, 100, false, LOAD_RIGHT},    {0, 10, 100, true, LOAD_RIGHT},
        {0, 9, 90, false, LOAD_UNSURE},     {0, 9, 90, true, LOAD_LOST},
        {0, 0, 0, true, LOAD_LOST},         {0, 11, 100, false, LOAD_EXCESS},
        {0, 11, 110, true, LOAD_EXCESS},    {0, 10, 99, false, LOAD_DIFFERENT},
        {0, 10, 101, true, LOAD_DIFFERENT}, {3, 10, 100, false, LOAD_RIGHT},
        {3, 12, 104, true, LOAD_RIGHT},     {3, 13, 106, true, LOAD_RIGHT},
        {3, 9, 96, true, LOAD_LOST},        {3, 9, 96, false, LOAD_UNSURE},
        {3, 14, 106, false, LOAD_EXCESS},   {3, 10, 95, false, LOAD_UNSURE},
        {3, 10, 95, true, LOAD_DIFFERENT},  {3, 13, 107, true, LOAD_DIFFERENT},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        static struct load_stats stats;
        stats = (struct load_stats){.begun = 13,
                                    .acknowledged = 10,
                                    .acknowledged_sum = 100,
                                    .unknown = table[i].unknown,
                                    .unknown_sum = table[i].unknown * 2};
        const struct load_gain gain = {table[i].count, table[i].sum, table[i].settled};
        const enum load_verdict got = load_judge(&stats, &gain);
        EXPECT(got == table[i].verdict,
               "row %zu (gained %" PRId64 ", sum %" PRId64 "): %s, want %s", i, table[i].count,
               table[i].sum, load_verdict_name(got), load_verdict_name(table[i].verdict));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_result_says_of_an_add),
        cmocka_unit_test(every_add_is_in_one_column_and_the_rest_in_flight),
        cmocka_unit_test(the_gain_must_be_what_was_acknowledged_and_at_most_what_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
