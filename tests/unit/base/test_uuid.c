// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include "unit.h"

#include <string.h>

static void random_ones_differ_and_are_version_4(void **state)
{
    (void)state;
    const struct uuid one = uuid_random(), other = uuid_random();
    assert_false(uuid_equal(&one, &other));
    for (int i = 0; i < 1000; i++) {
        const struct uuid id = uuid_random();
        struct uuid back;
        EXPECT(uuid_parse(id.text, strlen(id.text), &back) && uuid_equal(&id, &back),
               "%s: not read back", id.text);
        EXPECT(id.text[14] == '4' && strchr("89ab", id.text[19]) != NULL,
               "%s: not version 4 of RFC 9562's variant", id.text);
    }
}

static void upper_case_is_the_same_uuid(void **state)
{
    (void)state;
    struct uuid lower, upper;
    assert_true(uuid_parse("01234567-89ab-cdef-0123-456789abcdef", 36, &lower));
    assert_true(uuid_parse("01234567-89AB-CDEF-0123-456789ABCDEF", 36, &upper));
    assert_true(uuid_equal(&lower, &upper));
    assert_string_equal(upper.text, "01234567-89ab-cdef-0123-456789abcdef");
}

static void other_text_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "01234567-89ab-cdef-0123-456789abcde",
        "01234567-89ab-cdef-0123-456789abcdef0",
        "01234567-89ab-cdef-0123-456789abcdeg",
        "0123456789abcdef0123456789abcdef0123",
        "01234567-89ab-cdef-01234-56789abcdef",
        "{1234567-89ab-cdef-0123-456789abcde}",
        "01234567_89ab_cdef_0123_456789abcdef",
        " 1234567-89ab-cdef-0123-456789abcdef",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct uuid id = {"unchanged"};
        EXPECT(!uuid_parse(table[i], strlen(table[i]), &id), "\"%s\" was taken", table[i]);
        assert_string_equal(id.text, "unchanged");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_ones_differ_and_are_version_4),
        cmocka_unit_test(upper_case_is_the_same_uuid),
        cmocka_unit_test(other_text_is_refused_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
