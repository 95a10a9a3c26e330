// SPDX-License-Identifier: Apache-2.0
// The partitions this consumer has now, and how far each is read. Where to begin comes from the
// ledger, never from Kafka: what is counted and where to go on are durable together (ledger.h, L2).
// list: any thread; the rest: the consumer.
#ifndef ABACUS_TOTALS_POSITIONS_H
#define ABACUS_TOTALS_POSITIONS_H

#include "totals/consumer.h"

struct positions;

// rk, ledger: borrowed; topic: its name, borrowed.
struct positions *positions_create(rd_kafka_t *rk, const char *topic, struct ledger *ledger);
void positions_destroy(struct positions *p);
// Another client takes over, or none for now (NULL); partitions must be assigned anew.
void positions_client_set(struct positions *p, rd_kafka_t *rk);

// Assigns these partitions, to be read from where the ledger says. A place that Kafka does not have
// any more is said loudly and reading begins at the earliest event there is. A partition is not
// read before Kafka has told where it begins and ends. False: nothing has changed.
MUST_USE bool positions_assign(struct positions *p,
                               const rd_kafka_topic_partition_list_t *partitions, struct err *err);
// Whether there is a partition of which Kafka has not told that: a topic that was just made, a
// broker that is away, or a partition that became another one since.
bool positions_unknown(struct positions *p);
// Whether there are partitions, and all of them are read.
bool positions_known(struct positions *p);
// Asks again, less often with time. *again: more is known, and all is read anew from where the
// ledger is: what is in hand must be dropped.
MUST_USE bool positions_learn(struct positions *p, bool *again, struct err *err);
// The same partitions again, because the ledger moved without us.
MUST_USE bool positions_reread(struct positions *p, struct err *err);
void positions_revoke(struct positions *p);

// A topic made anew may be longer than the old one was, so that the ledger's place is in it and
// means something else. Hence the message before that place is read once more: if it is an event
// that the ledger does not have, the topic is another one. True: this message is that one.
bool positions_is_probe(struct positions *p, int32_t partition, int64_t offset);
// The topic is another one: reads the partition from its beginning.
void positions_restart(struct positions *p, int32_t partition);

// Whether this offset was passed already: the partition began anew below us.
bool positions_is_back(struct positions *p, int32_t partition, int64_t offset);
// An event was taken. False: it is none to take, since the partition is not ours, or became another
// one, so that this event is from somewhere in it. Jumps are logged.
bool positions_read(struct positions *p, int32_t partition, int64_t offset);
// The ledger committed these.
void positions_committed(struct positions *p, const struct ledger_entry *entries, size_t n);

// Whether Kafka has events that were not taken, as far as is known.
bool positions_behind(struct positions *p);
// Makes librdkafka fetch now. When its queue was full it looks again only after a second or when
// its thread of the broker wakes up (before 2.2 this cannot be set), which with a short queue would
// be most of the time. A question to the partitions' leaders wakes it; takes one round trip.
void positions_nudge(struct positions *p);

// Asks Kafka where the partitions end, at most once a second. librdkafka hears of it with every
// fetch, but does not say when it did: with a broker that hangs, what was true long ago would be
// taken for a lag of nothing.
void positions_ask_ends(struct positions *p);

// Tells Kafka the offsets, for lag tools only: at most once a second unless it is the last time.
void positions_report(struct positions *p, bool last);

size_t positions_list(struct positions *p, struct consumer_partition **list); // owned: free()

#endif
