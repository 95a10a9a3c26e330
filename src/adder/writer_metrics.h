// SPDX-License-Identifier: Apache-2.0
// What the writer counts: adds by what became of them, the size of its batches, and how long an add
// waits until it is durable. Any thread.
#ifndef ABACUS_ADDER_WRITER_METRICS_H
#define ABACUS_ADDER_WRITER_METRICS_H

#include "adder/outbox.h"
#include "telemetry/metrics.h"

enum writer_refusal { // in the order of the names in writer_metrics.c
    REFUSED_QUEUE_FULL,
    REFUSED_BACKLOG_FULL,
    REFUSED_EXPIRED,
    REFUSED_OUTBOX_FAILED,
    WRITER_REFUSALS,
};

struct writer_metrics {
    struct metric_series batch, accept_to_commit;
    struct metric_series outcomes[ADD_OUTCOMES], refused[WRITER_REFUSALS];
};

void writer_metrics_init(struct writer_metrics *m);

void writer_metrics_refused(struct writer_metrics *m, enum writer_refusal reason, size_t n);
// A transaction with these adds became durable then.
void writer_metrics_committed(struct writer_metrics *m, struct add *const *adds, size_t n,
                              int64_t durable_unix_us);

#endif
