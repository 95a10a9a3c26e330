// SPDX-License-Identifier: Apache-2.0
#include "telemetry/trace.h"

#include "base/log.h"
#include "telemetry/exporter.h"
#include "telemetry/metrics.h"
#include "telemetry/otlp.h"
#include "telemetry/resource.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// The process's own, like the log.
static struct {
    // shared: on is stored by main, last at the start and first at the stop
    _Atomic bool on;
    // fixed while on
    struct otel_config config;
    struct otel_list resource;
    struct exporter *exporter;
    struct span_queue *queue; // the exporter's
    struct metric_series started, processed, dropped;
} tracer;

bool trace_enabled(void)
{
    return atomic_load_explicit(&tracer.on, memory_order_acquire);
}

// --- spans ---
bool trace_begin(const struct trace_context *parent, struct trace_context *context)
{
    *context = *parent;
    if (!trace_enabled())
        return false;
    const struct sampler *sampler = &tracer.config.sampler;
    const bool decided = sampler->parent_based && parent->traceparent[0] != '\0';
    if (decided && !trace_context_sampled(parent))
        return false;
    const struct trace_context made = trace_context_make(parent, true);
    if (!decided && !sampler_takes(sampler, &made))
        return false;
    *context = made;
    metric_add(tracer.started, 1);
    return true;
}

static void add(struct span *span, struct span_attribute attribute)
{
    CHECK_INT(span->attributes_count, <, SPAN_ATTRIBUTES_MAX);
    span->attributes[span->attributes_count++] = attribute;
}

void span_text(struct span *span, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        add(span, (struct span_attribute){key, text, 0});
}

void span_number(struct span *span, const char *key, int64_t number)
{
    add(span, (struct span_attribute){key, NULL, number});
}

void trace_end(const struct span *span)
{
    CHECK(span->name != NULL && trace_context_sampled(&span->context));
    if (!trace_enabled()) // it was when the span began
        return;
    struct span_bytes *bytes = span_queue_has_room(tracer.queue) ? otlp_span(span) : NULL;
    const bool taken = bytes != NULL && span_queue_put(tracer.queue, bytes);
    if (!taken)
        free(bytes);
    metric_add(taken ? tracer.processed : tracer.dropped, 1);
}

// --- the process's exporter ---
static void collect(struct metrics_scrape *scrape, void *ctx)
{
    (void)ctx;
    const bool on = trace_enabled();
    METRIC_PUT(scrape, METRIC_SPAN_QUEUE, on ? (int64_t)span_queue_length(tracer.queue) : 0);
    METRIC_PUT(scrape, METRIC_SPAN_QUEUE_CAPACITY, on ? tracer.config.queue_max : 0);
}

static void say_who_we_are(void)
{
    struct bytes labels = {0};
    resource_labels(&labels, &tracer.resource);
    metrics_target_set((const char *)labels.data);
    bytes_clear(&labels);
}

static void exporter_start(void)
{
    struct err err;
    if (!exporter_create(&tracer.exporter, &tracer.config, &tracer.resource, &err)) {
        log_warn("trace", "tracing is off: %s", err.text);
        return;
    }
    tracer.queue = exporter_queue(tracer.exporter);
    tracer.started = METRIC_SERIES(METRIC_SPANS_STARTED);
    tracer.processed = METRIC_SERIES(METRIC_SPANS_PROCESSED, "");
    tracer.dropped = METRIC_SERIES(METRIC_SPANS_PROCESSED, "queue_full");
    atomic_store_explicit(&tracer.on, true, memory_order_release);
    log_info("trace", "traces go to %s", otel_endpoint_shown(tracer.config.endpoint));
}

// Of a former life in this process.
static void clear(void)
{
    exporter_destroy(tracer.exporter);
    tracer.exporter = NULL;
    otel_list_clear(&tracer.resource);
    otel_config_clear(&tracer.config);
}

void trace_start(const struct trace_config *program)
{
    CHECK(!trace_enabled());
    clear();
    otel_config_read(&tracer.config);
    if (tracer.config.disabled)
        metrics_enable(false);
    resource_make(&tracer.resource, program, &tracer.config);
    say_who_we_are();
    if (tracer.config.export)
        exporter_start();
    metrics_collect(collect, &tracer);
}

// What the exporter stands on stays: a thread may just have seen that tracing is on.
void trace_stop(int64_t timeout_ms)
{
    metrics_collect_end(&tracer);
    const bool on = trace_enabled();
    atomic_store(&tracer.on, false);
    if (on)
        exporter_stop(tracer.exporter,
                      timeout_ms < TRACE_STOP_MS_MAX ? timeout_ms : TRACE_STOP_MS_MAX);
}
