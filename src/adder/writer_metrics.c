// SPDX-License-Identifier: Apache-2.0
#include "adder/writer_metrics.h"

#include "base/clock.h"

static const char *const outcomes[ADD_OUTCOMES] = {"appended", "repeated", "conflict"};
static const char *const reasons[WRITER_REFUSALS] = {"queue_full", "backlog_full", "expired",
                                                     "outbox_failed"};

void writer_metrics_init(struct writer_metrics *m)
{
    m->batch = METRIC_SERIES(METRIC_WRITER_BATCH);
    m->accept_to_commit = METRIC_SERIES(METRIC_STAGE_LATENCY, "accept_to_commit");
    for (size_t i = 0; i < ADD_OUTCOMES; i++)
        m->outcomes[i] = METRIC_SERIES(METRIC_ADDS, outcomes[i]);
    for (size_t i = 0; i < WRITER_REFUSALS; i++)
        m->refused[i] = METRIC_SERIES(METRIC_WRITER_REFUSED, reasons[i]);
}

void writer_metrics_refused(struct writer_metrics *m, enum writer_refusal reason, size_t n)
{
    metric_add(m->refused[reason], (int64_t)n);
}

// Wall time, as in the latency from end to end, of which this is a part.
void writer_metrics_committed(struct writer_metrics *m, struct add *const *adds, size_t n,
                              int64_t durable_unix_us)
{
    int64_t count[ADD_OUTCOMES] = {0};
    for (size_t i = 0; i < n; i++) {
        const struct add *add = adds[i];
        count[add->outcome]++;
        if (add->outcome == ADD_APPENDED)
            metric_observe_traced(m->accept_to_commit,
                                  (durable_unix_us - add->accepted_unix_us) * NS_PER_US,
                                  &add->context);
    }
    for (size_t i = 0; i < ADD_OUTCOMES; i++)
        metric_add(m->outcomes[i], count[i]);
    metric_observe(m->batch, (int64_t)n, 1);
}
