// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "unit.h"

#include <inttypes.h>
#include <string.h>

// The numbers come from Python's datetime.
static const struct {
    const char *text;
    int64_t unix_us;
} instants[] = {
    {"1970-01-01T00:00:00.000000Z", 0},
    {"1999-12-31T23:59:59.999999Z", INT64_C(946684799999999)},
    {"2000-02-29T12:00:00.000000Z", INT64_C(951825600000000)}, // a century that is a leap year
    {"2024-02-29T23:59:59.000001Z", INT64_C(1709251199000001)},
    {"2026-01-31T12:00:00.000001Z", INT64_C(1769860800000001)},
    {"2100-02-28T00:00:00.000000Z", INT64_C(4107456000000000)}, // a century that is not
    {"2100-03-01T00:00:00.000000Z", INT64_C(4107542400000000)},
    {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
};

static void known_instants_format_and_parse_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(instants); i++) {
        char text[CLOCK_RFC3339_BYTES];
        clock_format_rfc3339(text, instants[i].unix_us);
        assert_string_equal(text, instants[i].text);
        int64_t unix_us = -1;
        EXPECT(clock_parse_rfc3339(text, strlen(text), &unix_us), "%s: not parsed", text);
        assert_int_equal(unix_us, instants[i].unix_us);
    }
}

static void every_day_survives_the_round_trip(void **state)
{
    (void)state;
    const int64_t day_us = INT64_C(86400000000), last_us = INT64_C(253402300799999999);
    for (int64_t at = 0; at < last_us; at += day_us) {
        char text[CLOCK_RFC3339_BYTES];
        clock_format_rfc3339(text, at);
        int64_t back = -1;
        EXPECT(clock_parse_rfc3339(text, strlen(text), &back) && back == at,
               "%s: read back as %" PRId64 ", written from %" PRId64, text, back, at);
    }
}

static void zones_and_fractions_of_others_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_us;
    } table[] = {
        {"2026-01-31T12:00:00+05:30", INT64_C(1769841000000000)},
        {"2026-01-31T12:00:00-08:00", INT64_C(1769889600000000)},
        {"2026-01-31t12:00:00z", INT64_C(1769860800000000)},
        {"2026-01-31 12:00:00Z", INT64_C(1769860800000000)},
        {"2026-01-31T12:00:00.1Z", INT64_C(1769860800100000)},
        {"2026-01-31T12:00:00.123456789Z", INT64_C(1769860800123456)},
        {"1970-01-01T01:00:00+01:00", 0},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)}, // a leap second
        {"9999-12-31T23:59:59.999999-00:00", INT64_C(253402300799999999)},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t unix_us = -1;
        EXPECT(clock_parse_rfc3339(table[i].text, strlen(table[i].text), &unix_us),
               "%s: not parsed", table[i].text);
        EXPECT(unix_us == table[i].unix_us, "%s: got %" PRId64 ", want %" PRId64, table[i].text,
               unix_us, table[i].unix_us);
    }
}

static void what_is_no_time_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-1-31T12:00:00Z",
        "26-01-31T12:00:00Z",
        "2026/01/31T12:00:00Z",
        "2026-01-31_12:00:00Z",
        "2026-00-31T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-01-32T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2100-02-29T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00+0530",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+05:60",
        "2026-01-31T12:00:00ZZ",
        "2026-01-31T12:00:00Z ",
        " 2026-01-31T12:00:00Z",
        "+026-01-31T12:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01", // before 1970 in UTC
        "9999-12-31T23:59:59-00:01", // after 9999 in UTC: could not be written again
        "9999-12-31T23:59:60Z",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t unix_us = 42;
        EXPECT(!clock_parse_rfc3339(table[i], strlen(table[i]), &unix_us),
               "\"%s\" was taken for a time", table[i]);
        assert_int_equal(unix_us, 42);
    }
}

static void parsing_stops_at_the_length_given(void **state)
{
    (void)state;
    int64_t unix_us;
    assert_true(clock_parse_rfc3339("1970-01-01T00:00:01Zjunk", 20, &unix_us));
    assert_int_equal(unix_us, 1000000);
    assert_false(clock_parse_rfc3339("1970-01-01T00:00:01\0Z", 21, &unix_us));
}

static void monotonic_time_does_not_go_back(void **state)
{
    (void)state;
    int64_t last = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        const int64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_unix_us() > instants[3].unix_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants_format_and_parse_both_ways),
        cmocka_unit_test(every_day_survives_the_round_trip),
        cmocka_unit_test(zones_and_fractions_of_others_are_read),
        cmocka_unit_test(what_is_no_time_is_refused_and_nothing_is_written),
        cmocka_unit_test(parsing_stops_at_the_length_given),
        cmocka_unit_test(monotonic_time_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
