// SPDX-License-Identifier: Apache-2.0
#include "telemetry/retry.h"

#include "unit.h"

#include <inttypes.h>

static void only_these_answers_allow_to_send_again(void **state)
{
    (void)state;
    static const struct {
        long status;
        bool again;
    } table[] = {
        {0, false},  {200, false}, {301, false}, {400, false}, {404, false}, {413, false},
        {429, true}, {500, false}, {502, true},  {503, true},  {504, true},  {505, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        EXPECT(retry_status(table[i].status) == table[i].again, "status %ld: again is %d",
               table[i].status, !table[i].again);
}

static void the_pause_is_what_was_asked_for_or_grows(void **state)
{
    (void)state;
    static const struct {
        int failures;
        int64_t after_s, least_ms, most_ms;
    } table[] = {
        {1, 0, 500, 1000},        {2, 0, 1000, 2000},
        {3, 0, 2000, 4000},       {4, 0, 2500, 5000},
        {1000000, 0, 2500, 5000}, {1, 7, 7000, 7000},
        {9, 7, 7000, 7000},       {1, 300, 300000, 300000},
        {1, 301, 300000, 300000}, {1, INT64_MAX, 300000, 300000}, // nonsense must not silence us
        {1, -5, 500, 1000},                                       // a date that has passed
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const int64_t most = retry_delay_ms(table[i].failures, table[i].after_s, 0);
        const int64_t least = retry_delay_ms(table[i].failures, table[i].after_s, UINT32_MAX);
        EXPECT(least == table[i].least_ms && most == table[i].most_ms,
               "%d failures, after %" PRId64 " s: %" PRId64 " to %" PRId64 " ms", table[i].failures,
               table[i].after_s, least, most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_these_answers_allow_to_send_again),
        cmocka_unit_test(the_pause_is_what_was_asked_for_or_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
