// SPDX-License-Identifier: Apache-2.0
#include "totals/batch_metrics.h"

#include "base/clock.h"

#define US_PER_MS 1000
#define DB_LABELS "ledger", "UPDATE"

struct batch_metrics batch_metrics_create(const char *topic, const char *group)
{
    return (struct batch_metrics){
        .topic = topic,
        .group = group,
        .size = METRIC_SERIES(METRIC_CONSUMER_BATCH),
        .processed = METRIC_SERIES(METRIC_PROCESS_DURATION, topic, group, ""),
        .written = METRIC_SERIES(METRIC_DB_DURATION, DB_LABELS, ""),
        .delivery = METRIC_SERIES(METRIC_DELIVERY_LATENCY),
        .broker_to_poll = METRIC_SERIES(METRIC_STAGE_LATENCY, "broker_to_poll"),
        .poll_to_commit = METRIC_SERIES(METRIC_STAGE_LATENCY, "poll_to_commit"),
        .negative_delivery = METRIC_SERIES(METRIC_NEGATIVE_LATENCY, "delivery"),
        .negative_broker_to_poll = METRIC_SERIES(METRIC_NEGATIVE_LATENCY, "broker_to_poll"),
    };
}

enum latency latency_between(int64_t from_unix_us, int64_t to_unix_us, int64_t *ns)
{
    if (from_unix_us <= 0)
        return LATENCY_UNKNOWN;
    if (to_unix_us < from_unix_us)
        return LATENCY_NEGATIVE;
    if (__builtin_mul_overflow(to_unix_us - from_unix_us, NS_PER_US, ns))
        *ns = INT64_MAX;
    return LATENCY_KNOWN;
}

// --- the way of each event ---
static void delivery_observe(const struct batch_metrics *m, const struct event *event,
                             int64_t committed_unix_us)
{
    int64_t ns;
    switch (latency_between(event->accepted_unix_us, committed_unix_us, &ns)) {
    case LATENCY_KNOWN:
        metric_observe_traced(m->delivery, ns, &event->context);
        break;
    case LATENCY_NEGATIVE:
        metric_add(m->negative_delivery, 1);
        break;
    case LATENCY_UNKNOWN:
        break;
    }
}

// Kafka gives one timestamp to all messages of a produce request, so equal ones come in runs.
struct run {
    int64_t broker_unix_ms, count;
};

static void run_observe(const struct batch_metrics *m, const struct run *run, int64_t taken_unix_us)
{
    int64_t ns;
    const int64_t broker_unix_us = run->broker_unix_ms > 0 ? run->broker_unix_ms * US_PER_MS : 0;
    const enum latency latency = latency_between(broker_unix_us, taken_unix_us, &ns);
    if (latency == LATENCY_KNOWN)
        metric_observe(m->broker_to_poll, ns, run->count);
    else if (latency == LATENCY_NEGATIVE)
        metric_add(m->negative_broker_to_poll, run->count);
}

static bool was_applied(const struct ledger_entry *entry)
{
    return !entry->dead_letter && entry->verdict == APPLY_NEW;
}

// Returns how many events there were to observe.
static int64_t events_observe(const struct batch_metrics *m, const struct batch *b,
                              int64_t committed_unix_us)
{
    struct run run = {.count = 0};
    int64_t applied = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (!was_applied(&b->entries[i]))
            continue;
        rd_kafka_timestamp_type_t ignored;
        const int64_t broker_unix_ms = rd_kafka_message_timestamp(b->letters[i].message, &ignored);
        if (broker_unix_ms != run.broker_unix_ms && run.count > 0) {
            run_observe(m, &run, b->taken.unix_us);
            run.count = 0;
        }
        run.broker_unix_ms = broker_unix_ms;
        run.count++;
        applied++;
        delivery_observe(m, &b->entries[i].event, committed_unix_us);
    }
    if (run.count > 0)
        run_observe(m, &run, b->taken.unix_us);
    return applied;
}

// --- the batch ---
static void committed(const struct batch_metrics *m, const struct batch *b,
                      const struct attempt *attempt)
{
    const int64_t applied = events_observe(m, b, attempt->end.unix_us);
    if (applied > 0)
        metric_observe(m->poll_to_commit, attempt->end.mono_ns - b->taken.mono_ns, applied);
    metric_observe(m->size, (int64_t)b->count, 1);
}

// The first attempt counts from when its batch was begun: decoding is a part of processing.
// Failures have series of their own, made when the first comes.
void batch_metrics_attempt(const struct batch_metrics *m, const struct batch *b,
                           const struct attempt *attempt)
{
    const bool first = attempt->begin.mono_ns == b->taken.mono_ns;
    const int64_t begun_mono_ns = first ? b->begun_mono_ns : attempt->begin.mono_ns;
    struct metric_series processed = m->processed, written = m->written;
    if (attempt->err != NULL) {
        const char *error = err_name(attempt->err->code);
        processed = METRIC_SERIES(METRIC_PROCESS_DURATION, m->topic, m->group, error);
        written = METRIC_SERIES(METRIC_DB_DURATION, DB_LABELS, error);
    }
    metric_observe(processed, attempt->end.mono_ns - begun_mono_ns, 1);
    if (attempt->transaction)
        metric_observe(written, attempt->end.mono_ns - attempt->begin.mono_ns, 1);
    if (attempt->err == NULL)
        committed(m, b, attempt);
}
