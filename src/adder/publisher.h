// SPDX-License-Identifier: Apache-2.0
// The life of one Kafka producer: it is given events in sequence order, and counts them off as
// Kafka acknowledges them in the same order. The first thing that goes wrong ends it for good: from
// then on nothing counts as acknowledged, and its owner makes a new one that starts from there.
// No thread of its own: one thread at a time.
//
//   P1: acknowledged <= sent. P2: both grow by one event at a time, without holes.
//   P3: once it has failed, `acknowledged` does not move any more.
#ifndef ABACUS_ADDER_PUBLISHER_H
#define ABACUS_ADDER_PUBLISHER_H

#include "event/event.h"
#include "kafka/client.h"

// Events with librdkafka at a time. Each costs more than a kilobyte there (nine headers are nine
// pieces of memory), and a full window is the most that the adder ever needs. With 3072 it is a
// megabyte less, but then the relay falls behind the adds under full load.
#define PUBLISHER_WINDOW 4096

struct publisher;

// published: all up to here needs no sending. *out: owned, end with publisher_destroy. config:
// borrowed. ERR_USAGE: a Kafka property is wrong.
MUST_USE bool publisher_create(struct publisher **out, const struct kafka_config *config,
                               const char *topic, int64_t published, struct err *err);
// Does not wait for Kafka: what was sent and not acknowledged may or may not arrive.
void publisher_destroy(struct publisher *p);

// kafka_topic_ensure by this producer. True: Kafka answers.
MUST_USE bool publisher_topic_ensure(struct publisher *p, const struct kafka_topic *topic,
                                     int timeout_ms, int32_t *partitions, struct err *err);

// Where Java's clients would put that key too.
int32_t publisher_partition_of(const struct uuid *source, int32_t partitions);
// Before the first send.
void publisher_partition_set(struct publisher *p, int32_t partition);

size_t publisher_room(const struct publisher *p); // how many more may be sent
int64_t publisher_sent(const struct publisher *p);

// The n events after the last one sent. *full: not all were taken, try again after some reports.
MUST_USE bool publisher_send(struct publisher *p, const struct event *events, size_t n, bool *full,
                             struct err *err);

// Readable when publisher_serve has something to do.
int publisher_fd(const struct publisher *p);
// Takes in what Kafka reported. *acknowledged: the last sequence of which all up to it are.
// False: it has failed, *err says why.
MUST_USE bool publisher_serve(struct publisher *p, int64_t *acknowledged, struct err *err);

// NULL: as far as it knows Kafka answers; else why not, borrowed until the next serve.
const char *publisher_trouble(const struct publisher *p);

#endif
