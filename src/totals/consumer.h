// SPDX-License-Identifier: Apache-2.0
// The consumer: one thread that takes events from Kafka and puts them into the ledger.
// Offsets live in the ledger; Kafka gets them afterwards, for lag tools only. What is no event of
// ours goes to the dead-letter topic, acknowledged before its offset moves on.
// create, stop, destroy: main; partitions: any thread.
#ifndef ABACUS_TOTALS_CONSUMER_H
#define ABACUS_TOTALS_CONSUMER_H

#include "kafka/client.h"
#include "telemetry/readiness.h"
#include "totals/ledger.h"

struct consumer;

enum trace_shape { TRACE_CHILD, TRACE_LINK }; // how traces go on: batch_spans.h

struct consumer_config {
    struct kafka_config kafka;
    struct kafka_topic topic, dead_letter_topic;
    const char *group;
    enum trace_shape trace_shape;
    struct readiness *readiness; // borrowed
    size_t readiness_index;      // its condition "ledger": false while commits fail
};

// Checks the configuration and starts the thread; the broker may be away. ledger: borrowed.
// *out: owned, end with consumer_destroy. ERR_USAGE: a Kafka property is wrong.
MUST_USE bool consumer_create(struct consumer **out, const struct consumer_config *config,
                              struct ledger *ledger, struct err *err);

struct consumer_partition {
    int32_t partition;
    int64_t settled_offset; // all before it is in the ledger or gone from Kafka; -1: unknown
    int64_t end_offset;     // in Kafka; -1: unknown
    int64_t end_age_ms;     // Kafka said so at most that long ago; -1: unknown
    int64_t lag_ns;         // how long ago it ended at settled_offset; -1: unknown
};
// The partitions assigned now; *list: owned, free().
size_t consumer_partitions(struct consumer *consumer, struct consumer_partition **list);

// Commits what is in hand, leaves the group, ends the thread.
void consumer_stop(struct consumer *consumer);
void consumer_destroy(struct consumer *consumer); // stopped

#endif
