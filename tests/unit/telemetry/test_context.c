// SPDX-License-Identifier: Apache-2.0
#include "telemetry/context.h"

#include "unit.h"

#include <string.h>

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define VALID  "00-" TRACE "-" PARENT "-01"

static void a_valid_traceparent_is_kept_as_version_00(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kept;
    } table[] = {
        {VALID, VALID},
        {"00-" TRACE "-" PARENT "-00", "00-" TRACE "-" PARENT "-00"},
        {" \t" VALID "\t ", VALID},
        // A later version is read by its first four fields (trace-context §3.2.2.2 and 4.3) ...
        {"01-" TRACE "-" PARENT "-01", VALID},
        {"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", VALID},
        {"fe-" TRACE "-" PARENT "-01-", VALID},
        // ... and of the flags only the two that we know are passed on.
        {"00-" TRACE "-" PARENT "-fe", "00-" TRACE "-" PARENT "-02"},
        {"cc-" TRACE "-" PARENT "-0d", VALID},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct trace_context context = {"unset"};
        EXPECT(trace_context_parse(table[i].text, strlen(table[i].text), &context),
               "\"%s\": refused", table[i].text);
        assert_string_equal(context.traceparent, table[i].kept);
    }
}

static void anything_else_leaves_no_context(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        " ",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-0g",
        "00-" TRACE "-" PARENT "-01-", // version 00 ends here
        "00-" TRACE "-" PARENT "-01-x",
        "00-" TRACE "-" PARENT "-01.",
        "cc-" TRACE "-" PARENT "-01.x", // more must begin with a dash
        "ff-" TRACE "-" PARENT "-01",   // forbidden version
        "0-" TRACE "-" PARENT "-01",
        ".0-" TRACE "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", // upper case is not allowed
        "00-" TRACE "-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736a-" PARENT "-01",
        "00-" TRACE "-00f067aa0ba902b-01",
        "00_" TRACE "_" PARENT "_01",
        VALID " " VALID,
        VALID "," VALID,
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct trace_context context = {"unset"};
        EXPECT(!trace_context_parse(table[i], strlen(table[i]), &context),
               "\"%s\": taken as \"%s\"", table[i], context.traceparent);
        assert_string_equal(context.traceparent, "");
    }
}

static void parsing_stops_at_the_length_given(void **state)
{
    (void)state;
    struct trace_context context;
    assert_true(trace_context_parse(VALID "x", TRACEPARENT_LENGTH, &context));
    assert_string_equal(context.traceparent, VALID);
    assert_false(trace_context_parse(VALID, TRACEPARENT_LENGTH - 1, &context));
    assert_false(trace_context_parse("00-" TRACE "\0" PARENT "-01", TRACEPARENT_LENGTH, &context));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_traceparent_is_kept_as_version_00),
        cmocka_unit_test(anything_else_leaves_no_context),
        cmocka_unit_test(parsing_stops_at_the_length_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
