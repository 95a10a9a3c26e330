// SPDX-License-Identifier: Apache-2.0
// The process's metrics, as Prometheus scrapes them. metrics_table.h names them all.
//
// Recording costs a few nanoseconds: every thread adds to cells of its own, without locks or atomic
// read-modify-writes, and a scrape sums over the threads. What a thread has counted outlives it.
// What somebody else counts already (the outbox its rows, librdkafka its lag) is not counted again:
// a collector reads it when a scrape asks.
//
// Like the log, and for the same reason, the registry is the process's own and not passed around:
// it is written from everywhere and read by nobody but the scraper. Any thread, unless said.
#ifndef ABACUS_TELEMETRY_METRICS_H
#define ABACUS_TELEMETRY_METRICS_H

#include "base/base.h"
#include "base/bytes.h"
#include "telemetry/context.h"

enum metric_id {
#define METRIC(id, ...) METRIC_##id,
#include "telemetry/metrics_table.h"
#undef METRIC
    METRICS_COUNT
};

// False: recording does nothing (OTEL_SDK_DISABLED). Main; on unless said otherwise.
void metrics_enable(bool enabled);
bool metrics_enabled(void); // before reading a clock only for a metric

// --- recording ---

// One time series of a counter or a histogram. Make it once, keep it, use it from any thread.
#define METRIC_CELL_BITS 28
struct metric_series {
    uint32_t cell : METRIC_CELL_BITS; // its first one; 0: it counts nothing
    uint32_t buckets : 4;             // a histogram's, an enum metric_buckets
};

// values: one a label of the table, copied; the same values give the same series. Values may be
// anything: they are escaped, cut to 128 bytes, and their number is bounded: a metric has at most
// METRIC_SERIES_MAX series, and each attempt at more counts in abacus_metrics_dropped_series, also
// those of collectors at every scrape. Takes a lock: not for each event.
#define METRIC_SERIES_MAX 200
struct metric_series metric_series(enum metric_id id, const char *const *values, size_t count);
#define METRIC_SERIES(id, ...)                                        \
    metric_series((id), (const char *const[]){"", ##__VA_ARGS__} + 1, \
                  COUNT_OF(((const char *const[]){"", ##__VA_ARGS__})) - 1)

void metric_add(struct metric_series series, int64_t n); // a counter; n >= 0

// A histogram: n times the same value, in the unit that the table says (nanoseconds, or a number).
void metric_observe(struct metric_series series, int64_t value, int64_t n);
// The same once; when the context is of a sampled trace, it becomes the bucket's exemplar, unless
// that is less than a second old.
void metric_observe_traced(struct metric_series series, int64_t value,
                           const struct trace_context *context);

// --- what is read when a scrape asks ---
struct metrics_scrape;

// collect(scrape, ctx) is called for each scrape, on the scraper's thread, one at a time: it reads
// what is there and puts it. metrics_collect_end returns when it does not run and never will.
void metrics_collect(void (*collect)(struct metrics_scrape *scrape, void *ctx), void *ctx);
void metrics_collect_end(void *ctx);

// One sample, in the unit that the table says (SECONDS: nanoseconds). Each series once.
void metric_put(struct metrics_scrape *scrape, enum metric_id id, int64_t value,
                const char *const *values, size_t count);
#define METRIC_PUT(scrape, id, value, ...)                                            \
    metric_put((scrape), (id), (value), (const char *const[]){"", ##__VA_ARGS__} + 1, \
               COUNT_OF(((const char *const[]){"", ##__VA_ARGS__})) - 1)

// --- exposition ---
enum metrics_format {
    METRICS_TEXT,        // Prometheus text 0.0.4
    METRICS_OPENMETRICS, // OpenMetrics 1.0, with exemplars
};
// What the Accept header asks for; NULL or nothing known: METRICS_TEXT.
enum metrics_format metrics_format_of(const char *accept);
// Whether the Accept-Encoding header names gzip. NULL: no.
bool metrics_may_gzip(const char *accept_encoding);
const char *metrics_content_type(enum metrics_format format);
void metrics_expose(struct bytes *out, enum metrics_format format);

// Labels of target_info, "name=\"value\",…" escaped: who this process is. Copied. Main, once.
void metrics_target_set(const char *labels);

#endif
