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

static struct trace_context parsed(const char *text)
{
    struct trace_context context;
    trace_context_parse(text, strlen(text), &context);
    return context;
}

static void its_flag_and_ids_can_be_asked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool sampled;
    } table[] = {
        {"00-" TRACE "-" PARENT "-00", false},
        {"00-" TRACE "-" PARENT "-01", true},
        {"00-" TRACE "-" PARENT "-02", false},
        {"00-" TRACE "-" PARENT "-03", true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct trace_context context = parsed(table[i].text);
        EXPECT(trace_context_sampled(&context) == table[i].sampled, "%s: sampled is %d",
               table[i].text, !table[i].sampled);
        assert_string_equal(trace_context_ids(&context).trace_id, TRACE);
        assert_string_equal(trace_context_ids(&context).span_id, PARENT);
    }
    const struct trace_context none = {""};
    assert_false(trace_context_sampled(&none));
    assert_string_equal(trace_context_ids(&none).trace_id, "");
    assert_string_equal(trace_context_ids(&none).span_id, "");
}

static void a_child_keeps_the_trace_and_its_random_flag(void **state)
{
    (void)state;
    static const struct {
        const char *parent;
        bool sampled;
        const char *flags;
    } table[] = {
        {"00-" TRACE "-" PARENT "-00", true, "01"},
        {"00-" TRACE "-" PARENT "-01", false, "00"},
        {"00-" TRACE "-" PARENT "-02", true, "03"},
        {"00-" TRACE "-" PARENT "-03", false, "02"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct trace_context parent = parsed(table[i].parent);
        const struct trace_context child = trace_context_make(&parent, table[i].sampled);
        assert_string_equal(parsed(child.traceparent).traceparent, child.traceparent);
        assert_string_equal(trace_context_ids(&child).trace_id, TRACE);
        assert_string_not_equal(trace_context_ids(&child).span_id, PARENT);
        EXPECT(strcmp(child.traceparent + 53, table[i].flags) == 0, "%s: the child has flags %s",
               table[i].parent, child.traceparent + 53);
    }
}

static void a_root_has_random_ids_and_says_so(void **state)
{
    (void)state;
    const struct trace_context none = {""};
    struct trace_context roots[100]; // more than one filling of the pool of random bytes
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        roots[i] = trace_context_make(&none, i % 2 == 1);
        assert_string_equal(parsed(roots[i].traceparent).traceparent, roots[i].traceparent);
        assert_string_equal(roots[i].traceparent + 53, i % 2 == 1 ? "03" : "02");
        for (size_t k = 0; k < i; k++) {
            const struct trace_ids left = trace_context_ids(&roots[i]);
            const struct trace_ids right = trace_context_ids(&roots[k]);
            assert_string_not_equal(left.trace_id, right.trace_id);
            assert_string_not_equal(left.span_id, right.span_id);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_traceparent_is_kept_as_version_00),
        cmocka_unit_test(anything_else_leaves_no_context),
        cmocka_unit_test(parsing_stops_at_the_length_given),
        cmocka_unit_test(its_flag_and_ids_can_be_asked),
        cmocka_unit_test(a_child_keeps_the_trace_and_its_random_flag),
        cmocka_unit_test(a_root_has_random_ids_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
