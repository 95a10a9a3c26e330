// SPDX-License-Identifier: Apache-2.0
#include "totals/batch_metrics.h"

#include "unit.h"

static void a_latency_is_unknown_negative_or_a_number_of_nanoseconds(void **state)
{
    (void)state;
    static const int64_t now = INT64_C(1800000000000000); // 2027
    static const struct {
        const char *what;
        int64_t from, to;
        enum latency want;
        int64_t ns;
    } table[] = {
        {"nobody said when", 0, now, LATENCY_UNKNOWN, 0},
        {"before the epoch", -1, now, LATENCY_UNKNOWN, 0},
        {"the same microsecond", now, now, LATENCY_KNOWN, 0},
        {"a microsecond", now - 1, now, LATENCY_KNOWN, 1000},
        {"a second", now - 1000000, now, LATENCY_KNOWN, 1000000000},
        {"its clock is ahead by a microsecond", now + 1, now, LATENCY_NEGATIVE, 0},
        {"its clock is ahead by an hour", now + 3600000000, now, LATENCY_NEGATIVE, 0},
        {"the year 1970", 1, now, LATENCY_KNOWN, (now - 1) * 1000},
        {"more than the nanoseconds hold", 1, INT64_MAX, LATENCY_KNOWN, INT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t ns = 0;
        const enum latency got = latency_between(table[i].from, table[i].to, &ns);
        EXPECT(got == table[i].want && ns == table[i].ns, "%s: %d, %lld ns; want %d, %lld ns",
               table[i].what, got, (long long)ns, table[i].want, (long long)table[i].ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_latency_is_unknown_negative_or_a_number_of_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
