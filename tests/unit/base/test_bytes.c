// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include "unit.h"

#include <string.h>

static void text_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct bytes b = {0};
    for (int i = 0; i < 1000; i++) {
        bytes_printf(&b, "%03d,", i);
        assert_int_equal(b.length, (i + 1) * 4);
        assert_int_equal(b.data[b.length], '\0');
        assert_true(b.length < b.capacity);
    }
    assert_memory_equal(b.data + 3996, "999,", 4);
    bytes_clear(&b);
    assert_null(b.data);
    assert_int_equal(b.length + b.capacity, 0);
}

static void reset_keeps_the_memory_for_reuse(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_append_text(&b, "first");
    const uint8_t *memory = b.data;
    bytes_reset(&b);
    bytes_append_text(&b, "2nd");
    assert_ptr_equal(b.data, memory);
    assert_string_equal((const char *)b.data, "2nd");
    bytes_clear(&b);
}

static void reserved_room_is_there(void **state)
{
    (void)state;
    struct bytes b = {0};
    bytes_append(&b, "ab", 2);
    memset(bytes_reserve(&b, 100000), 'x', 100000);
    b.length += 100000;
    bytes_append(&b, NULL, 0);
    assert_int_equal(b.length, 100002);
    assert_memory_equal(b.data, "abxx", 4);
    assert_int_equal(b.data[100001], 'x');
    bytes_clear(&b);
}

static void json_strings_are_always_valid_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        const char *json;
    } table[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\t\x01\x7f", 4, "\"\\u000a\\u0009\\u0001\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 11,
         "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xc2\x80\xc2\x9b\xc2\xa0", 6, "\"\\u0080\\u009b\xc2\xa0\""}, // C1
        // Each byte that begins no well-formed sequence becomes one replacement (RFC 3629 §4).
        {"\xff", 1, "\"\\ufffd\""},
        {"\x80y", 2, "\"\\ufffdy\""},
        {"\xc3", 1, "\"\\ufffd\""},                                  // cut short
        {"\xc3(", 2, "\"\\ufffd(\""},                                // no continuation
        {"\xc0\x80", 2, "\"\\ufffd\\ufffd\""},                       // overlong NUL
        {"\xe0\x80\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},            // overlong
        {"\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},            // surrogate
        {"\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, // above U+10FFFF
        {"\xf5\x80\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes b = {0};
        bytes_append_json_string(&b, table[i].text, table[i].length);
        assert_string_equal((const char *)b.data, table[i].json);
        bytes_clear(&b);
    }
}

static void what_a_terminal_would_obey_becomes_blank(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } table[] = {
        {"", ""},
        {"a b~", "a b~"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\xae \xc2\xa0",
         "\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\xae \xc2\xa0"},
        {"1\n2\t3\x1b[2J\x7f", "1 2 3 [2J "},
        {"\xc2\x9b"
         "2J\xc2\x80\xc2\x9f",
         " 2J  "}, // C1: some terminals take U+009B for ESC [
        {"\x9b"
         "2J\xff\xc3",
         " 2J  "}, // not UTF-8
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes b = {0};
        bytes_append_printable(&b, table[i].text, strlen(table[i].text));
        EXPECT(strcmp((const char *)b.data, table[i].shown) == 0, "row %zu: \"%s\", want \"%s\"", i,
               (const char *)b.data, table[i].shown);
        bytes_clear(&b);
    }
}

static void a_text_is_cut_between_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max, taken;
    } table[] = {
        {"", 3, 0},
        {"abc", 3, 3},
        {"abcd", 3, 3},
        {"ab\xc3\xa9", 3, 2},
        {"\xe2\x82\xac\xe2\x82\xac", 5, 3},
        {"a\xf0\x9f\xa7\xae", 4, 1},
        {"a\xf0\x9f\xa7\xae", 5, 5},
        {"a\x80\x80\x80\x80\x80", 5, 2}, // not UTF-8
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const size_t taken = bytes_utf8_cut(table[i].text, table[i].max);
        EXPECT(taken == table[i].taken, "row %zu: %zu, want %zu", i, taken, table[i].taken);
    }
}

static void a_hexadecimal_digit_has_a_value(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF", others[] = "/:@G`g\x10\x16\x90 ";
    for (int i = 0; digits[i] != '\0'; i++)
        assert_int_equal(hex_digit_value(digits[i]), i < 16 ? i : i - 6);
    for (size_t i = 0; i < sizeof(others); i++) // the zero at the end too
        assert_int_equal(hex_digit_value(others[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(reset_keeps_the_memory_for_reuse),
        cmocka_unit_test(reserved_room_is_there),
        cmocka_unit_test(json_strings_are_always_valid_json),
        cmocka_unit_test(what_a_terminal_would_obey_becomes_blank),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(a_hexadecimal_digit_has_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
