// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/clock.h"

#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What is written to standard error, which is a file meanwhile: a pipe might fill up.
static struct {
    int saved, file;
    char text[262144];
} captured;

static void capture_begin(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    captured.file = dup(fileno(file));
    fclose(file);
    fcntl(captured.file, F_SETFL, O_APPEND);
    captured.saved = dup(STDERR_FILENO);
    dup2(captured.file, STDERR_FILENO);
}

static const char *capture_end(void)
{
    dup2(captured.saved, STDERR_FILENO);
    close(captured.saved);
    const ssize_t length = pread(captured.file, captured.text, sizeof(captured.text) - 1, 0);
    assert_true(length >= 0);
    captured.text[length] = '\0';
    close(captured.file);
    return captured.text;
}

// The line from its level on: the time before differs.
static const char *past_time(const char *line, const char *from)
{
    const char *found = strstr(line, from);
    EXPECT(found != NULL, "no %s in: %s", from, line);
    return found;
}

static int lines_in(const char *text)
{
    int lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
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

static void the_level_changes_while_the_process_runs(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_JSON);
    log_debug("level", "before");
    log_level_set(LOG_DEBUG);
    assert_int_equal(log_level_get(), LOG_DEBUG);
    log_debug("level", "while");
    log_level_set(LOG_ERROR);
    log_warn("level", "after");
    const char *text = capture_end();
    assert_int_equal(lines_in(text), 1);
    assert_non_null(strstr(text, "\"message\":\"while\"}"));
}

static void each_level_has_a_word_and_nothing_else_is_one(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    for (enum log_level wanted = LOG_DEBUG; wanted <= LOG_ERROR; wanted++) {
        assert_true(log_level_parse(log_level_name(wanted), &level));
        assert_int_equal(level, wanted);
    }
    static const char *const others[] = {"", "Debug", "debug ", "warning", "1", "debu"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        EXPECT(!log_level_parse(others[i], &level), "\"%s\" is no level", others[i]);
}

// --- fields ---
static const struct log_field facts[] = {{"source", "a \"b\"", 0},
                                         {"trace_id", "4bf9", 0},
                                         {"sequence", NULL, INT64_MAX},
                                         {"span_id", "00f0", 0},
                                         {"empty", "", 0},
                                         {"offset", NULL, -1},
                                         {"topic", "sums", 0},
                                         {"bytes", "x\x1b[1m\xff", 0}};

static void fields_follow_the_message_and_the_trace_stands_before_it(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_JSON);
    log_fields(LOG_WARN, "fields", facts, COUNT_OF(facts), "%d lost", 3);
    assert_string_equal(past_time(capture_end(), "\"module\""),
                        "\"module\":\"fields\",\"trace_id\":\"4bf9\",\"span_id\":\"00f0\","
                        "\"message\":\"3 lost\",\"source\":\"a \\\"b\\\"\","
                        "\"sequence\":9223372036854775807,\"offset\":-1,\"topic\":\"sums\","
                        "\"bytes\":\"x\\u001b[1m\\ufffd\"}\n");
}

static void text_has_fields_as_pairs_and_no_control_characters(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_TEXT);
    log_fields(LOG_WARN, "fields", facts, COUNT_OF(facts), "lost\n\x1b[1m\xc2\x9b");
    assert_string_equal(
        past_time(capture_end(), " warn"),
        " warn  abacus-test fields: lost  [1m  source=\"a \\\"b\\\"\" trace_id=4bf9 "
        "sequence=9223372036854775807 span_id=00f0 offset=-1 topic=sums "
        "bytes=\"x\\u001b[1m\\ufffd\"\n");
}

static void silent_levels_have_no_fields_either(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_ERROR, LOG_FORMAT_JSON);
    log_fields(LOG_WARN, "fields", facts, COUNT_OF(facts), "no");
    assert_string_equal(capture_end(), "");
}

// --- what is too long ---

// Of characters of each length, at each place relative to the cut.
static void a_long_text_is_cut_between_characters_and_stays_one_json_line(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa7\xae"};
    for (size_t i = 0; i < COUNT_OF(characters) * 4; i++) {
        const char *character = characters[i / 4];
        static char lots[20000];
        size_t length = i % 4; // so many ASCII characters first
        memset(lots, 'x', length);
        while (length + 4 < sizeof(lots))
            length += (size_t)snprintf(lots + length, sizeof(lots) - length, "%s", character);
        const struct log_field field = {"topic", .text = lots};
        capture_begin();
        log_init("abacus-test", LOG_DEBUG, LOG_FORMAT_JSON);
        log_fields(LOG_DEBUG, "long", &field, 1, "%s", lots);
        const char *line = capture_end();
        char middle[32], end[32];
        snprintf(middle, sizeof(middle), "%s\xe2\x80\xa6\",\"topic\":\"", character);
        snprintf(end, sizeof(end), "%s\"}\n", character);
        EXPECT(strstr(line, middle) != NULL, "the message does not end in %s", middle);
        EXPECT(strcmp(line + strlen(line) - strlen(end), end) == 0, "not at the end: %s", end);
        assert_null(strstr(line, "\\ufffd"));
        assert_int_equal(lines_in(line), 1);
        assert_in_range(strlen(line), 4096 + 200, 4096 + 500);
    }
}

static void bytes_that_are_not_utf8_are_cut_all_the_same(void **state)
{
    (void)state;
    static char lots[5000];
    memset(lots, '\x80', sizeof(lots) - 1);
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_JSON);
    log_info("long", "%s", lots);
    const char *line = capture_end();
    assert_non_null(strstr(line, "\\ufffd\xe2\x80\xa6\"}\n"));
}

// --- bursts ---
static void what_one_place_says_too_often_is_left_out_and_counted(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_JSON);
    const struct log_stats before = log_stats();
    const int64_t begun_mono_ns = clock_mono_ns();
    for (int i = 0; i < LOG_BURST + 7; i++)
        log_warn("burst", "again %d", i);
    log_warn("burst", "another place");
    log_warn("second", "again %d", 1);
    const struct log_stats after = log_stats();
    const char *text = capture_end();
    if (clock_mono_ns() - begun_mono_ns >= LOG_BURST_S * NS_PER_S)
        skip(); // the machine stood still, and the window ended meanwhile
    assert_int_equal(lines_in(text), LOG_BURST + 2);
    assert_int_equal(after.lines[LOG_WARN] - before.lines[LOG_WARN], LOG_BURST + 2);
    assert_int_equal(after.suppressed - before.suppressed, 7);
}

static void debug_lines_are_all_kept(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_DEBUG, LOG_FORMAT_JSON);
    for (int i = 0; i < 3 * LOG_BURST; i++)
        log_debug("burst", "again %d", i);
    assert_int_equal(lines_in(capture_end()), 3 * LOG_BURST);
}

#define THREADS 4
#define EACH    500

static void *speak(void *arg)
{
    const struct log_field field = {"thread", .number = *(const int *)arg};
    for (int i = 0; i < EACH; i++) {
        log_fields(LOG_INFO, "thread", &field, 1, "at work");
        log_level_set(i % 2 == 0 ? LOG_DEBUG : LOG_INFO);
    }
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    capture_begin();
    log_init("abacus-test", LOG_INFO, LOG_FORMAT_JSON);
    const struct log_stats before = log_stats();
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, speak, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const struct log_stats after = log_stats();
    char *text = (char *)capture_end();
    char *rest = NULL;
    int64_t lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        EXPECT(line[0] == '{' && line[strlen(line) - 1] == '}', "not whole: %s", line);
        lines++;
    }
    assert_int_equal(lines, after.lines[LOG_INFO] - before.lines[LOG_INFO]);
    // On a machine so slow that windows end meanwhile there are more lines, but none is lost.
    assert_true(lines + after.suppressed - before.suppressed >= THREADS * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_off_the_terminal_is_one_json_object),
        cmocka_unit_test(text_names_level_service_and_module),
        cmocka_unit_test(levels_below_the_limit_are_silent),
        cmocka_unit_test(the_level_changes_while_the_process_runs),
        cmocka_unit_test(each_level_has_a_word_and_nothing_else_is_one),
        cmocka_unit_test(fields_follow_the_message_and_the_trace_stands_before_it),
        cmocka_unit_test(text_has_fields_as_pairs_and_no_control_characters),
        cmocka_unit_test(silent_levels_have_no_fields_either),
        cmocka_unit_test(a_long_text_is_cut_between_characters_and_stays_one_json_line),
        cmocka_unit_test(bytes_that_are_not_utf8_are_cut_all_the_same),
        cmocka_unit_test(what_one_place_says_too_often_is_left_out_and_counted),
        cmocka_unit_test(debug_lines_are_all_kept),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
