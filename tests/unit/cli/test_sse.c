// SPDX-License-Identifier: Apache-2.0
#include "cli/sse.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

// lines: separated by '|'. want: the events' data, each in brackets.
static const struct {
    const char *what, *lines, *want;
} table[] = {
    {"one event", "data: {\"total\":\"5\"}|", "[{\"total\":\"5\"}]"},
    {"no space", "data:x|", "[x]"},
    {"only one space is taken", "data:  x|", "[ x]"},
    {"several lines are joined", "data: a|data: b|", "[a\nb]"},
    {"an empty line of data", "data: a|data|data:|", "[a\n\n]"},
    {"other fields", "event: total|id: 7|retry: 100|data: x|", "[x]"},
    {"comments", ": hello|data: x|:|", "[x]"},
    {"no data, no event", "event: total||id: 4||", ""},
    {"two events", "data: a||data: b|", "[a][b]"},
    {"an event that does not end", "data: a", ""},
    {"another field that begins alike", "database: x|data: y|", "[y]"},
};

static void lines_become_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sse sse = {.any = false};
        struct bytes got = {0}, data;
        bytes_append_text(&got, "");
        char *lines = strdup(table[i].lines), *rest = lines, *line;
        while ((line = strsep(&rest, "|")) != NULL) {
            if (sse_line(&sse, line, strlen(line), &data))
                bytes_printf(&got, "[%s]", (const char *)data.data);
        }
        EXPECT(strcmp((const char *)got.data, table[i].want) == 0, "%s: got %s, want %s",
               table[i].what, (const char *)got.data, table[i].want);
        free(lines);
        bytes_clear(&got);
        sse_clear(&sse);
    }
}

static void too_much_data_is_dropped_and_the_next_event_is_whole(void **state)
{
    (void)state;
    struct sse sse = {.any = false};
    struct bytes data;
    static char line[60000] = "data: ";
    memset(line + 6, 'x', sizeof(line) - 6);
    for (int i = 0; i < 20; i++)
        assert_false(sse_line(&sse, line, sizeof(line), &data));
    assert_false(sse_line(&sse, "", 0, &data));
    assert_false(sse_line(&sse, "data: y", 7, &data));
    assert_true(sse_line(&sse, "", 0, &data));
    assert_string_equal((const char *)data.data, "y");
    sse_clear(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_events),
        cmocka_unit_test(too_much_data_is_dropped_and_the_next_event_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
