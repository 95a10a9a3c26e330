// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otel_list.h"

#include "base/bytes.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static void names_have_values_with_everything_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *value;
        size_t count;
    } table[] = {
        {"a=b", "a", "b", 1},
        {"a=b,c=d", "c", "d", 2},
        {" a = b , c = d ", "a", "b", 2},
        {"a=b,,c=d,", "c", "d", 2}, // an empty member says nothing
        {"a=", "a", "", 1},
        {"a=b c", "a", "b c", 1},
        {"a=%2C%3d", "a", ",=", 1},
        {"a%20b=c", "a b", "c", 1},
        {"a=%C3%A4", "a", "\xc3\xa4", 1},
        {"authorization=Basic dXNlcjpwdw==", "authorization", "Basic dXNlcjpwdw==", 1},
        {"a=b;c", "a", "b;c", 1},
        {"a=1,a=2", "a", "2", 1}, // the last one counts
        {"", NULL, NULL, 0},
        {" , ", NULL, NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_list list = {.count = 0};
        struct err err = {.text = ""};
        EXPECT(otel_list_parse(&list, table[i].text, &err), "\"%s\": refused: %s", table[i].text,
               err.text);
        EXPECT(list.count == table[i].count, "\"%s\": %zu names", table[i].text, list.count);
        if (table[i].key != NULL)
            assert_string_equal(otel_list_get(&list, table[i].key), table[i].value);
        otel_list_clear(&list);
    }
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "a", "=b", " =b", "a=b,c", "a=%", "a=%4", "a=%4g", "a=%00b", "%zz=b", "a=%ff", "a=\xc3",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_list list = {.count = 0};
        struct err err = {.text = ""};
        EXPECT(!otel_list_parse(&list, table[i], &err), "\"%s\": taken", table[i]);
        assert_string_not_equal(err.text, "");
        otel_list_clear(&list);
    }
}

static void there_are_not_more_than_the_list_holds(void **state)
{
    (void)state;
    struct bytes text = {0};
    for (int i = 0; i < OTEL_LIST_MAX; i++)
        bytes_printf(&text, "k%d=v,", i);
    struct otel_list list = {.count = 0};
    struct err err;
    assert_true(otel_list_parse(&list, (const char *)text.data, &err));
    assert_false(otel_list_parse(&list, "one=more", &err));
    assert_true(otel_list_parse(&list, "k0=new", &err));
    assert_string_equal(otel_list_get(&list, "k0"), "new");
    otel_list_clear(&list);
    bytes_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_values_with_everything_decoded),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(there_are_not_more_than_the_list_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
