// SPDX-License-Identifier: Apache-2.0
// What a publisher has handed to librdkafka and not heard of yet, for metrics and spans: when each
// event was handed over, and which of them belong to sampled traces. One thread at a time.
#ifndef ABACUS_ADDER_FLIGHT_H
#define ABACUS_ADDER_FLIGHT_H

#include "adder/add_spans.h"
#include "adder/timeline.h"
#include "telemetry/metrics.h"

// Events of sampled traces on their way at a time; more than so many get no span. It is enough for
// what the exporter's queue takes.
#define FLIGHT_SAMPLED_MAX 256

struct flight {
    struct send_place place;
    struct metric_series sent, duration;
    struct timeline handed;
    int64_t now_mono_ns, now_unix_us; // as of the last flight_clock
    struct send_event *sampled;       // owned, a ring, in order; NULL: tracing is off
    size_t sampled_first, sampled_count;
};

// acknowledged: the last sequence that needs no sending. Texts of place: borrowed until the end.
void flight_begin(struct flight *f, const struct send_place *place, int64_t acknowledged);
// What is still on its way up to `sent` is lost by this error, as far as anybody knows.
void flight_end(struct flight *f, int64_t sent, const char *error);

// Reads the clocks, for the events handed over from now on.
void flight_clock(struct flight *f);
void flight_handed(struct flight *f, const struct event *event);

// The next event is acknowledged. Costs nothing unless it is of a sampled trace.
void flight_landed(struct flight *f, int64_t sequence, int64_t offset);
// All up to `sequence` are: counts them.
void flight_count(struct flight *f, int64_t sequence);

#endif
