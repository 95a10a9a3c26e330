// SPDX-License-Identifier: Apache-2.0
#include "totals/lag.h"

#include "base/clock.h"

#include "unit.h"

#define MS(n) ((n)*NS_PER_MS)

static struct lag_sample at(int64_t ms, int64_t end_offset)
{
    return (struct lag_sample){.mono_ns = MS(ms), .end_offset = end_offset};
}

// A second apart, as they come: the end was 100, 100, 130, 170.
static struct lag rising(void)
{
    struct lag lag = {.count = 0};
    static const int64_t ends[] = {100, 100, 130, 170};
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        lag_hear(&lag, at(1000 * (int64_t)i, ends[i]), 0);
    return lag;
}

static void lag_is_how_long_ago_the_end_was_where_the_ledger_is(void **state)
{
    (void)state;
    static const struct {
        const char *when;
        int64_t now_ms, end, settled, lag_ms;
    } table[] = {
        {"nothing is behind", 3000, 170, 170, 0},
        {"the ledger is ahead of what was heard", 3000, 170, 180, 0},
        {"just read to the newest that was heard, more came since", 3400, 180, 170, 400},
        {"between the newest that was heard and now", 3400, 180, 175, 200},
        {"at a sample", 3400, 180, 130, 1400},
        {"in the middle of two", 3400, 180, 150, 900},
        {"a quarter of the way", 3400, 180, 140, 1150},
        {"where it stood still, the last time counts", 3400, 180, 100, 2400},
        {"before all that was heard: as far as it reaches", 3400, 180, 40, 3400},
        {"nothing was ever committed", 3400, 180, -1, 3400},
    };
    const struct lag lag = rising();
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const int64_t got = lag_ns(&lag, at(table[i].now_ms, table[i].end), table[i].settled);
        EXPECT(got == MS(table[i].lag_ms), "%s: %lld ms, want %lld", table[i].when,
               (long long)(got / NS_PER_MS), (long long)table[i].lag_ms);
    }
}

static void before_anything_was_heard_there_is_no_lag(void **state)
{
    (void)state;
    const struct lag lag = {.count = 0};
    assert_int_equal(lag_ns(&lag, at(5000, 100), 0), 0);
}

static void an_end_that_moves_back_begins_anew(void **state)
{
    (void)state;
    struct lag lag = rising();
    lag_hear(&lag, at(9000, 50), 0);
    assert_int_equal(lag.count, 1);
    assert_int_equal(lag_ns(&lag, at(9500, 50), 20), MS(500));
}

// Questions come more often than once a second when events are late.
static void the_newest_gives_its_place_when_the_next_comes_soon(void **state)
{
    (void)state;
    struct lag lag = {.count = 0};
    for (int64_t ms = 0; ms <= 10000; ms += 10)
        lag_hear(&lag, at(ms, ms), 0);
    EXPECT(lag.count <= 12, "%zu samples of ten seconds", lag.count);
    assert_int_equal(lag.samples[lag.count - 1].end_offset, 10000);
    assert_int_equal(lag_ns(&lag, at(10000, 10000), 2500), MS(7500));
}

static void what_the_ledger_has_passed_is_forgotten(void **state)
{
    (void)state;
    struct lag lag = rising();
    lag_hear(&lag, at(4000, 200), 165);
    assert_int_equal(lag.samples[0].end_offset, 130);
    for (int64_t s = 5; s < 1000; s++) {
        lag_hear(&lag, at(1000 * s, 200), 200);
        EXPECT(lag.count <= 2, "%zu samples although nothing is behind", lag.count);
    }
}

// A day without a commit, written to at a steady pace: the room stays, and so does the answer.
static void a_long_lag_is_known_in_little_room(void **state)
{
    (void)state;
    struct lag lag = {.count = 0};
    const int64_t day_s = 86400, rate = 1000;
    for (int64_t s = 0; s <= day_s; s++) {
        lag_hear(&lag, at(1000 * s, rate * s), 5);
        assert_in_range(lag.count, 1, LAG_SAMPLES_MAX);
    }
    for (int64_t lag_s = 1; lag_s < day_s; lag_s += 997) {
        const int64_t got = lag_ns(&lag, at(1000 * day_s, rate * day_s), rate * (day_s - lag_s));
        const int64_t off_ms = got / NS_PER_MS - 1000 * lag_s;
        EXPECT(off_ms >= -1 && off_ms <= 1, "a lag of %lld s is %lld ms off", (long long)lag_s,
               (long long)off_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lag_is_how_long_ago_the_end_was_where_the_ledger_is),
        cmocka_unit_test(before_anything_was_heard_there_is_no_lag),
        cmocka_unit_test(an_end_that_moves_back_begins_anew),
        cmocka_unit_test(the_newest_gives_its_place_when_the_next_comes_soon),
        cmocka_unit_test(what_the_ledger_has_passed_is_forgotten),
        cmocka_unit_test(a_long_lag_is_known_in_little_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
