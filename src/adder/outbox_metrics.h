// SPDX-License-Identifier: Apache-2.0
// What the outbox counts of itself: how long its transactions take, and how long a row waits for
// Kafka. Any thread; of a timeline, who has it.
#ifndef ABACUS_ADDER_OUTBOX_METRICS_H
#define ABACUS_ADDER_OUTBOX_METRICS_H

#include "adder/timeline.h"
#include "base/err.h"
#include "telemetry/metrics.h"

struct outbox_metrics {
    struct metric_series insert, remove, commit_to_ack;
};

void outbox_metrics_init(struct outbox_metrics *m);

// A transaction that has ended now: durable, or (err, else NULL) not.
void outbox_metrics_insert(struct outbox_metrics *m, int64_t begun_mono_ns, const struct err *err);
void outbox_metrics_delete(struct outbox_metrics *m, int64_t begun_mono_ns, const struct err *err);

// Kafka has acknowledged all up to `sequence`. Rows that a former process committed are left out:
// nobody knows when that was.
void outbox_metrics_published(struct outbox_metrics *m, struct timeline *committed,
                              int64_t sequence);

#endif
