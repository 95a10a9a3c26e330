// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "unit.h"

#include <string.h>
#include <unistd.h>

// What one call writes to standard error, which is a pipe meanwhile.
static struct {
    int saved, read_end;
    char text[65536];
} captured;

static void capture_begin(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    captured.saved = dup(STDERR_FILENO);
    captured.read_end = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static const char *capture_end(void)
{
    dup2(captured.saved, STDERR_FILENO);
    close(captured.saved);
    size_t length = 0;
    ssize_t n;
    while ((n = read(captured.read_end, captured.text + length,
                     sizeof(captured.text) - 1 - length)) > 0)
        length += (size_t)n;
    captured.text[length] = '\0';
    close(captured.read_end);
    return captured.text;
}

static void a_line_off_the_terminal_is_one_json_object(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_AUTO);
    log_warn("relay", "topic \"%s\"\nis gone", "sums");
    const char *line = capture_end();
    static const char rest[] =
        "Z\",\"level\":\"warn\",\"service\":\"abacus-test\",\"module\":\"relay\","
        "\"message\":\"topic \\\"sums\\\"\\u000ais gone\"}\n";
    assert_memory_equal(line, "{\"time\":\"2", 10);
    assert_non_null(strchr(line, 'Z'));
    assert_string_equal(strchr(line, 'Z'), rest);
}

static void text_names_level_service_and_module(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_DEBUG, LOG_FORMAT_TEXT);
    log_debug("relay", "caught up");
    const char *line = capture_end();
    assert_non_null(strchr(line, ' '));
    assert_string_equal(strchr(line, ' '), " debug abacus-test relay: caught up\n");
}

static void levels_below_the_limit_are_silent(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_WARN, LOG_FORMAT_JSON);
    log_debug("x", "no");
    log_info("x", "no");
    assert_string_equal(capture_end(), "");
}

static void a_long_message_is_cut_and_stays_one_json_line(void **state)
{
    (void)state;
    static char lots[20000];
    memset(lots, 'x', sizeof(lots) - 1);
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_JSON);
    log_error("x", "%s", lots);
    const char *line = capture_end();
    const size_t length = strlen(line);
    assert_true(length > 1000 && length < sizeof(lots));
    assert_string_equal(line + length - 4, "x\"}\n");
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_off_the_terminal_is_one_json_object),
        cmocka_unit_test(text_names_level_service_and_module),
        cmocka_unit_test(levels_below_the_limit_are_silent),
        cmocka_unit_test(a_long_message_is_cut_and_stays_one_json_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
