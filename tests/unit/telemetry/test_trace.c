// SPDX-License-Identifier: Apache-2.0
// The tracer as a whole, with a collector that is not there: nothing waits for it. What a collector
// gets, and what becomes of its answers: tests/system/test_otlp.py.
#include "telemetry/trace.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "telemetry/metrics.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARENT(flags) "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" flags

static const struct trace_config program = {.service = "test", .instance = "one"};

static void start(const char *sampler)
{
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", 1); // nobody listens there
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "3", 1);
    setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "3", 1);
    setenv("OTEL_TRACES_SAMPLER", sampler, 1);
    trace_start(&program);
    assert_true(trace_enabled());
}

static void stop(void)
{
    trace_stop(0);
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_false(trace_enabled());
}

static void off_passes_every_context_on_untouched(void **state)
{
    (void)state;
    static const char *const parents[] = {"", PARENT("00"), PARENT("01")};
    trace_start(&program);
    assert_false(trace_enabled());
    for (size_t i = 0; i < COUNT_OF(parents); i++) {
        struct trace_context parent, context = {"unset"};
        trace_context_parse(parents[i], strlen(parents[i]), &parent);
        assert_false(trace_begin(&parent, &context));
        assert_string_equal(context.traceparent, parents[i]);
    }
    trace_stop(0);
}

static void the_sampler_and_the_parent_decide(void **state)
{
    (void)state;
    static const struct {
        const char *sampler, *parent;
        bool recorded;
    } table[] = {
        {"parentbased_always_on", "", true},
        {"parentbased_always_on", PARENT("01"), true},
        {"parentbased_always_on", PARENT("00"), false},
        {"parentbased_always_off", "", false},
        {"parentbased_always_off", PARENT("01"), true},
        {"parentbased_always_off", PARENT("00"), false},
        {"always_on", "", true},
        {"always_on", PARENT("00"), true},
        {"always_off", PARENT("01"), false},
        // no ratio is given: 1
        {"traceidratio", PARENT("00"), true},
        {"parentbased_traceidratio", PARENT("00"), false},
        {"parentbased_traceidratio", "", true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct trace_context parent, context;
        trace_context_parse(table[i].parent, strlen(table[i].parent), &parent);
        start(table[i].sampler);
        const bool recorded = trace_begin(&parent, &context);
        stop();
        EXPECT(recorded == table[i].recorded, "%s, parent \"%s\": recorded is %d", table[i].sampler,
               table[i].parent, recorded);
        EXPECT(recorded ? trace_context_sampled(&context)
                        : strcmp(context.traceparent, parent.traceparent) == 0,
               "%s, parent \"%s\": the context is %s", table[i].sampler, table[i].parent,
               context.traceparent);
    }
}

static void many_spans_never_wait_for_a_collector(void **state)
{
    (void)state;
    const struct trace_context none = {""};
    start("always_on");
    for (int i = 0; i < 1000; i++) {
        struct span span = {.name = "work", .kind = SPAN_INTERNAL};
        assert_true(trace_begin(&none, &span.context));
        trace_end(&span);
    }
    struct bytes page = {0};
    metrics_expose(&page, METRICS_TEXT);
    const char *text = (const char *)page.data;
    assert_non_null(strstr(text, "otel_sdk_span_started_total"));
    assert_non_null(
        strstr(text, "otel_sdk_processor_span_processed_total{error_type=\"queue_full\"}"));
    assert_non_null(strstr(text, "otel_sdk_processor_span_queue_capacity 3"));
    assert_non_null(strstr(text, "service_name=\"test\""));
    bytes_clear(&page);
    stop();
}

// Where connections are made and nothing is ever answered.
static void a_stop_does_not_wait_for_long_even_if_it_may(void **state)
{
    (void)state;
    static const char minutes_ms[] = "600000";
    int port = 0;
    struct err err;
    const int silent = listener_open("127.0.0.1", &port, LISTENER_ALONE, &err);
    assert_true(silent >= 0);
    char endpoint[64];
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", port);
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint, 1);
    setenv("OTEL_EXPORTER_OTLP_TIMEOUT", minutes_ms, 1);
    setenv("OTEL_BSP_EXPORT_TIMEOUT", minutes_ms, 1);
    start("always_on");
    struct span span = {.name = "work", .kind = SPAN_INTERNAL};
    assert_true(trace_begin(&span.parent, &span.context));
    trace_end(&span);
    const int64_t begin_mono_ns = clock_mono_ns();
    trace_stop(600000);
    // Far less than it may take, far more than it should on a machine that stands still.
    assert_true(clock_mono_ns() - begin_mono_ns < 300 * NS_PER_S);
    close(silent);
}

int main(void)
{
    log_init("test", LOG_ERROR, LOG_FORMAT_AUTO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_passes_every_context_on_untouched),
        cmocka_unit_test(the_sampler_and_the_parent_decide),
        cmocka_unit_test(many_spans_never_wait_for_a_collector),
        cmocka_unit_test(a_stop_does_not_wait_for_long_even_if_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
