// SPDX-License-Identifier: Apache-2.0
// kafka: what the relay's producer and the totals' consumer share of librdkafka: configuration from
// our options, its log in ours, topics. Uses base only. Main thread, or one thread at a time.
#ifndef ABACUS_KAFKA_CLIENT_H
#define ABACUS_KAFKA_CLIENT_H

#include "base/base.h"
#include "base/err.h"
#include "base/options.h"

#include <librdkafka/rdkafka.h>

struct kafka_config {
    const char *bootstrap_servers;        // "host:port,host:port"
    const struct option_list *properties; // "key=value", any librdkafka property (SASL, TLS …)
};

struct kafka_property {
    const char *key, *value;
};

struct kafka_properties {
    const struct kafka_property *list;
    size_t count;
};
#define KAFKA_PROPERTIES(array) ((struct kafka_properties){array, COUNT_OF(array)})

// What a part of the program wants of its client.
struct kafka_client {
    const char *id;                   // client.id
    struct kafka_properties fixed;    // what correctness rests on: a user's is ERR_USAGE
    struct kafka_properties defaults; // a user's property wins
};

// A configuration from both. librdkafka's log lines go to log.h. *out: owned until rd_kafka_new
// succeeds. ERR_USAGE: names the property.
MUST_USE bool kafka_conf_create(rd_kafka_conf_t **out, const struct kafka_config *config,
                                const struct kafka_client *client, struct err *err);

// rd_kafka_new that gives its error; takes conf also on failure.
MUST_USE bool kafka_new(rd_kafka_t **out, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                        struct err *err);

struct kafka_topic {
    const char *name;
    int32_t partitions;  // when it must be created
    int16_t replication; // likewise
};

// Finds the topic, or creates it by the admin API and waits until it is there.
// *partitions: how many it has. ERR_UNAVAILABLE: no broker answers within timeout_ms, retry later.
MUST_USE bool kafka_topic_ensure(rd_kafka_t *rk, const struct kafka_topic *topic, int timeout_ms,
                                 int32_t *partitions, struct err *err);

// Sets *err from a librdkafka error: ERR_UNAVAILABLE when it is retriable. Always false.
bool kafka_err(struct err *err, rd_kafka_resp_err_t code, const char *text);

#endif
