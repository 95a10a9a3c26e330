// SPDX-License-Identifier: Apache-2.0
#include "base/log_burst.h"

#include "base/clock.h"

#include "unit.h"

static const struct log_place relay = {.fmt = "%s away", .module = "relay", .level = LOG_WARN};
static const struct log_place writer = {.fmt = "%s away", .module = "writer", .level = LOG_ERROR};

// Says so many lines; how many were kept.
static int64_t say(struct log_burst *burst, const struct log_place *speaker, int times,
                   int64_t now_s)
{
    int64_t kept = 0;
    for (int i = 0; i < times; i++)
        kept += log_burst_keep(burst, speaker, now_s * NS_PER_S);
    return kept;
}

static void expect_taken(struct log_burst *burst, int64_t now_s, const struct log_place *speaker,
                         int64_t left_out)
{
    struct log_place place;
    EXPECT(log_burst_take(burst, now_s * NS_PER_S, &place), "nothing is said of what was left out");
    assert_ptr_equal(place.fmt, speaker->fmt);
    assert_string_equal(place.module, speaker->module);
    assert_int_equal(place.level, speaker->level);
    assert_int_equal(place.left_out, left_out);
}

static void expect_nothing_taken(struct log_burst *burst, int64_t now_s)
{
    struct log_place place;
    assert_false(log_burst_take(burst, now_s * NS_PER_S, &place));
}

static void a_place_is_limited_within_its_window_only(void **state)
{
    (void)state;
    struct log_burst burst = {.places[0].fmt = NULL};
    assert_int_equal(say(&burst, &relay, LOG_BURST - 1, 5), LOG_BURST - 1);
    assert_int_equal(say(&burst, &relay, 10, 5 + LOG_BURST_S - 1), 1);
    expect_nothing_taken(&burst, 5 + LOG_BURST_S - 1); // its time is not over
    expect_taken(&burst, 5 + LOG_BURST_S, &relay, 9);
    expect_nothing_taken(&burst, 5 + LOG_BURST_S); // once is enough
    assert_int_equal(say(&burst, &relay, LOG_BURST + 3, 5 + LOG_BURST_S), LOG_BURST);
    expect_taken(&burst, 5 + 2 * LOG_BURST_S, &relay, 3);
}

static void a_place_that_left_nothing_out_is_forgotten(void **state)
{
    (void)state;
    struct log_burst burst = {.places[0].fmt = NULL};
    for (int i = 0; i < 5; i++)
        assert_int_equal(say(&burst, &relay, LOG_BURST, i * LOG_BURST_S), LOG_BURST);
    expect_nothing_taken(&burst, 1000);
}

static void places_do_not_count_for_each_other(void **state)
{
    (void)state;
    struct log_burst burst = {.places[0].fmt = NULL};
    assert_int_equal(say(&burst, &relay, LOG_BURST + 1, 0), LOG_BURST);
    assert_int_equal(say(&burst, &writer, LOG_BURST + 2, 1), LOG_BURST);
    expect_taken(&burst, LOG_BURST_S, &relay, 1);
    expect_nothing_taken(&burst, LOG_BURST_S);
    expect_taken(&burst, 1 + LOG_BURST_S, &writer, 2);
}

static void more_places_than_there_is_room_for_are_kept_and_no_count_is_lost(void **state)
{
    (void)state;
    static const char names[2 * LOG_PLACES_MAX]; // their addresses count
    struct log_burst burst = {.places[0].fmt = NULL};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct log_place place = {.fmt = &names[i], .module = "many"};
        const int64_t kept = say(&burst, &place, LOG_BURST + 1, 0);
        assert_int_equal(kept, i < LOG_PLACES_MAX ? LOG_BURST : LOG_BURST + 1);
    }
    struct log_place place;
    int64_t left_out = 0;
    while (log_burst_take(&burst, LOG_BURST_S * NS_PER_S, &place))
        left_out += place.left_out;
    assert_int_equal(left_out, LOG_PLACES_MAX);
    assert_int_equal(say(&burst, &relay, LOG_BURST + 1, LOG_BURST_S), LOG_BURST); // room again
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_limited_within_its_window_only),
        cmocka_unit_test(a_place_that_left_nothing_out_is_forgotten),
        cmocka_unit_test(places_do_not_count_for_each_other),
        cmocka_unit_test(more_places_than_there_is_room_for_are_kept_and_no_count_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
