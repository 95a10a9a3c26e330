// SPDX-License-Identifier: Apache-2.0
#include "cli/lines_back.h"

#include "base/bytes.h"

#include "scratch.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heard {
    struct bytes text;
    size_t lines, lines_max;
};

static bool on_line(const char *line, size_t n, void *ctx)
{
    struct heard *heard = ctx;
    bytes_append_text(&heard->text, "[");
    bytes_append(&heard->text, line, n);
    bytes_append_text(&heard->text, "]");
    return ++heard->lines < heard->lines_max;
}

static char *file_with(const char *folder, const void *content, size_t length)
{
    char *path = xasprintf("%s/lines", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    fclose(file);
    return path;
}

static void lines_come_from_the_last_to_the_first(void **state)
{
    static const struct {
        const char *content, *want;
    } table[] = {
        {"", ""},          {"a\n", "[a]"},   {"a\nbc\nd\n", "[d][bc][a]"}, {"a\nnot whole", "[a]"},
        {"not whole", ""}, {"\n\n", "[][]"}, {"a\n\nb\n", "[b][][a]"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char *path = file_with(*state, table[i].content, strlen(table[i].content));
        struct heard heard = {.lines_max = SIZE_MAX};
        struct err err;
        bytes_append_text(&heard.text, "");
        EXPECT(lines_back(path, on_line, &heard, &err), "\"%s\": %s", table[i].content, err.text);
        EXPECT(strcmp((const char *)heard.text.data, table[i].want) == 0, "\"%s\": got %s, want %s",
               table[i].content, (const char *)heard.text.data, table[i].want);
        bytes_clear(&heard.text);
        free(path);
    }
}

// Longer than any block that is read at a time.
static void long_lines_are_whole(void **state)
{
    static char content[3000000];
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)('a' + i % 26);
    content[1000000] = content[1000002] = content[sizeof(content) - 1] = '\n';
    char *path = file_with(*state, content, sizeof(content));
    struct heard heard = {.lines_max = SIZE_MAX};
    struct err err;
    assert_true(lines_back(path, on_line, &heard, &err));
    assert_int_equal(heard.lines, 3);
    assert_int_equal(heard.text.length, sizeof(content) - 3 + 3 * strlen("[]"));
    assert_memory_equal(heard.text.data + 1, content + 1000003, sizeof(content) - 1000004);
    bytes_clear(&heard.text);
    free(path);
}

static void enough_ends_it(void **state)
{
    char *path = file_with(*state, "a\nb\nc\n", 6);
    struct heard heard = {.lines_max = 2};
    struct err err;
    assert_true(lines_back(path, on_line, &heard, &err));
    assert_string_equal((const char *)heard.text.data, "[c][b]");
    bytes_clear(&heard.text);
    free(path);
}

static void no_file_and_no_end_of_line_are_told(void **state)
{
    struct heard heard = {.lines_max = SIZE_MAX};
    struct err err;
    assert_false(lines_back("/nowhere/at/all", on_line, &heard, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(lines_back("/", on_line, &heard, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    char *path = file_with(*state, "", 0);
    assert_int_equal(truncate(path, (off_t)LINES_BACK_LINE_MAX * 2), 0);
    assert_false(lines_back(path, on_line, &heard, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    free(path);
}

static int set_up(void **state)
{
    *state = scratch_create();
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_from_the_last_to_the_first),
        cmocka_unit_test(long_lines_are_whole),
        cmocka_unit_test(enough_ends_it),
        cmocka_unit_test(no_file_and_no_end_of_line_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
