// SPDX-License-Identifier: Apache-2.0
// What the files of the metrics share: metrics.c (cells, series, recording), metrics_scrape.c
// (collectors, and all samples of one scrape), metrics_labels.c, metrics_text.c (the two formats).
//
// A series owns a run of neighbouring cells, the same ones in every thread's block:
//
//   counter    [ count ]
//   histogram  [ ≤ bound 0 ][ ≤ bound 1, above 0 ] … [ above all ][ sum ]
//
// A count is an int64. A sum is a double, kept in a cell by its bits: an hour's delay of 200,000
// events a second would overflow nanoseconds in an int64 within a quarter of a minute.
#ifndef ABACUS_TELEMETRY_METRICS_STATE_H
#define ABACUS_TELEMETRY_METRICS_STATE_H

#include "telemetry/metrics.h"

// --- the table ---
enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };
enum metric_unit { METRIC_UNIT_SECONDS, METRIC_UNIT_BYTES, METRIC_UNIT_NONE };
enum metric_buckets { BUCKETS_NO, BUCKETS_FAST, BUCKETS_CALL, BUCKETS_STORE, BUCKETS_SIZE };

struct metric_info {
    enum metric_kind kind;
    const char *name;
    enum metric_unit unit;
    const char *constant, *labels;
    enum metric_buckets buckets;
    const char *help;
};
const struct metric_info *metric_info(enum metric_id id);

// Upper bounds in the order of size, in the unit that is recorded.
#define BUCKET_BOUNDS_MAX 19
struct bucket_set {
    size_t count;
    int64_t bounds[BUCKET_BOUNDS_MAX];
};
const struct bucket_set *bucket_set(enum metric_buckets buckets);

// --- labels ---
#define METRIC_LABEL_BYTES 128 // of a value; what is longer is cut

// Appends the constant labels and those of the values, as between the braces of a sample.
void metric_labels(struct bytes *out, enum metric_id id, const char *const *values, size_t count);
// As a HELP text or a label value may contain it: quotes are escaped only where asked for.
void metric_escape(struct bytes *out, const char *text, size_t length, bool quotes);

// --- cells ---
int64_t metric_cell_count(uint32_t cell); // summed over all threads
double metric_cell_sum(uint32_t cell);

struct metric_exemplar {
    int64_t unix_us; // 0: there is none
    int64_t value;
    struct trace_context context;
};
struct metric_exemplar metric_cell_exemplar(uint32_t cell);

// Calls each(…) for every series made so far, with the registry locked.
void metric_series_each(void (*each)(enum metric_id id, struct metric_series series,
                                     const char *labels, void *ctx),
                        void *ctx);

void metric_series_dropped_add(void);
int64_t metric_series_dropped(void);

// --- a scrape ---
struct metric_sample {
    enum metric_id id;
    char *labels;                // owned
    int64_t value;               // a counter's or gauge's
    struct metric_series series; // a histogram's
};

struct metrics_scrape {
    struct metric_sample *samples; // owned, in the table's order, then by labels; each series once
    size_t count, capacity;
    size_t counts[METRICS_COUNT]; // by metric
};

// Asks the collectors and reads the series. One thread at a time; the others wait.
void metrics_scrape_take(struct metrics_scrape *scrape);
void metrics_scrape_clear(struct metrics_scrape *scrape);

#endif
