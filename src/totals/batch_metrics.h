// SPDX-License-Identifier: Apache-2.0
// What metrics are told of a batch. The latencies are those of the events that were applied: what
// came twice or went to the dead letters has no way from A to B. The consumer's thread.
#ifndef ABACUS_TOTALS_BATCH_METRICS_H
#define ABACUS_TOTALS_BATCH_METRICS_H

#include "telemetry/metrics.h"
#include "totals/batch.h"

struct batch_metrics {
    const char *topic, *group; // borrowed
    struct metric_series size, processed, written;
    struct metric_series delivery, broker_to_poll, poll_to_commit;
    struct metric_series negative_delivery, negative_broker_to_poll;
};

struct batch_metrics batch_metrics_create(const char *topic, const char *group);

void batch_metrics_attempt(const struct batch_metrics *m, const struct batch *b,
                           const struct attempt *attempt);

// The time between two readings of wall clocks, perhaps of two machines. At most about 290 years,
// so that what somebody else wrote into an event can do no harm.
enum latency {
    LATENCY_UNKNOWN,  // `from` is 0 or less: nobody said
    LATENCY_NEGATIVE, // the clocks differ
    LATENCY_KNOWN,    // *ns is set
};
enum latency latency_between(int64_t from_unix_us, int64_t to_unix_us, int64_t *ns);

#endif
