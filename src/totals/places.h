// SPDX-License-Identifier: Apache-2.0
// Where reading is in each partition, and how Kafka is asked what it has of those of which it has
// not told yet. One thread at a time.
#ifndef ABACUS_TOTALS_PLACES_H
#define ABACUS_TOTALS_PLACES_H

#include "base/clock.h"
#include "base/log.h"
#include "totals/lag.h"

#include <librdkafka/rdkafka.h>

// A line of the log about a place in a partition.
#define LOG_PLACE(level, at_partition, at_offset, ...)                          \
    do {                                                                        \
        const struct log_field fields[] = {                                     \
            {.name = "partition", .number = (at_partition)},                    \
            {.name = "offset", .number = (at_offset)},                          \
        };                                                                      \
        log_fields((level), "consumer", fields, COUNT_OF(fields), __VA_ARGS__); \
    } while (0)

struct place {
    int32_t partition;
    int64_t settled;  // all before it is in the ledger or gone from Kafka; -1: unknown
    bool known;       // Kafka told where it begins and ends; else it is not read
    bool said;        // that it is not, in the log
    int64_t first;    // that Kafka had when reading began
    int64_t expected; // of the next event from Kafka
    bool probe;       // the message before `expected` is to come first
    int64_t end;      // that Kafka gave when it was asked last; -1: unknown
    int64_t asked_mono_ns;
    struct lag lag; // the ends it gave over time
};

void place_end_set(struct place *place, int64_t end, int64_t asked_mono_ns);

struct learner {
    rd_kafka_t *rk;    // borrowed
    const char *topic; // borrowed
    size_t from;       // the place to begin with
    int ms;            // for a partition's first or end; as long until the next time
    int64_t mono_ns;   // not before
    int64_t end_mono_ns;
};

// As patient as at first.
void learner_reset(struct learner *l);
// Asks for those that are not known, in a limited time, and holds the ledger's place (`settled`)
// against what Kafka has. Returns how many became known.
size_t places_learn(struct learner *l, struct place *places, size_t count);

#endif
