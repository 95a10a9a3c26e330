// SPDX-License-Identifier: Apache-2.0
#include "totals/etag.h"

#include "unit.h"

static void if_none_match_is_a_list_of_tags_or_a_star(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        bool matches; // the tag "a-1"
    } rows[] = {
        {"\"a-1\"", true},
        {"W/\"a-1\"", true}, // compared weakly
        {"*", true},
        {" * ", true},
        {"\"a-2\"", false},
        {"\"a-1", false},
        {"a-1", false},
        {"\"a-1\"x", true}, // what comes after a match does not matter
        {"\"a-12\"", false},
        {"\"a-\"", false},
        {"", false},
        {" ", false},
        {",", false},
        {"\"b\", \"a-1\"", true},
        {"\"b\",\"a-1\"", true},
        {" ,, \"b\" , ,\tW/\"a-1\",", true},
        {"\"b\" \"a-1\"", false}, // no comma
        {"\"b\"\"a-1\"", false},
        {"b, \"a-1\"", false}, // believed up to the first mistake
        {"\"b, \"a-1\"", false},
        {"\"a, b\", \"a-1\"", false}, // a tag has no spaces
        {"\"a,b\", \"a-1\"", true},   // but commas
        {"w/\"a-1\"", false},         // case matters
        {"W/ \"a-1\"", false},
        {"*, \"a-1\"", false}, // a star stands alone
        {"\"b\", *", false},
        {"\"\", \"a-1\"", true}, // an empty tag is one
        {"\"\xc3\xa9\", \"a-1\"", true},
        {"\"b\x7f\", \"a-1\"", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(etag_matches(rows[i].field, "\"a-1\"") == rows[i].matches, "%s: want %d",
               rows[i].field, rows[i].matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(if_none_match_is_a_list_of_tags_or_a_star),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
