// SPDX-License-Identifier: Apache-2.0
#include "base/int128.h"

#include "unit.h"

#include <string.h>

#define MAX128 ((__int128)(~(unsigned __int128)0 >> 1))

static void numbers_keep_their_value_as_text(void **state)
{
    (void)state;
    static const struct {
        __int128 value;
        const char *text;
    } table[] = {
        {0, "0"},
        {7, "7"},
        {-1, "-1"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
        {(__int128)INT64_MAX + 1, "9223372036854775808"},
        {(__int128)INT64_MIN * INT64_MAX, "-85070591730234615856620279821087277056"},
        {MAX128, "170141183460469231731687303715884105727"},
        {-MAX128 - 1, "-170141183460469231731687303715884105728"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[INT128_TEXT_BYTES];
        assert_int_equal(int128_format(text, table[i].value), strlen(table[i].text));
        assert_string_equal(text, table[i].text);
        __int128 back = 0;
        EXPECT(int128_parse(text, strlen(text), &back) && back == table[i].value,
               "%s: not read back as the same number", text);
        if (table[i].value < INT64_MIN || table[i].value > INT64_MAX)
            continue;
        assert_int_equal(int64_format(text, (int64_t)table[i].value), strlen(table[i].text));
        assert_string_equal(text, table[i].text);
    }
}

static void what_is_no_number_or_too_big_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "-",
        "--1",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x1",
        "170141183460469231731687303715884105728",
        "-170141183460469231731687303715884105729",
        "1701411834604692317316873037158841057270",
        "99999999999999999999999999999999999999999999999999999999",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        __int128 value = 42;
        EXPECT(!int128_parse(table[i], strlen(table[i]), &value), "\"%s\" was taken", table[i]);
        assert_true(value == 42);
    }
}

static void sixty_four_bits_have_their_own_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } table[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 42},
        {"-9223372036854775809", false, 42},
        {"12a", false, 42},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t value = 42;
        const bool ok = int64_parse(table[i].text, strlen(table[i].text), &value);
        EXPECT(ok == table[i].ok && value == table[i].value, "%s: ok %d, value %lld", table[i].text,
               ok, (long long)value);
    }
}

static void parsing_stops_at_the_length_given(void **state)
{
    (void)state;
    int64_t value;
    assert_true(int64_parse("1234", 2, &value));
    assert_int_equal(value, 12);
    assert_false(int64_parse("12\0004", 4, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_their_value_as_text),
        cmocka_unit_test(what_is_no_number_or_too_big_is_refused),
        cmocka_unit_test(sixty_four_bits_have_their_own_limits),
        cmocka_unit_test(parsing_stops_at_the_length_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
