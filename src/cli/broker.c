// SPDX-License-Identifier: Apache-2.0
// abacus-cli broker: one Kafka broker in memory: librdkafka's mock cluster, which speaks the real
// protocol. For trying things out: what it holds dies with it, and it forgets the oldest events of
// a partition beyond 5 MiB. The mock always takes a free port of 127.0.0.1: there is no way to
// choose one. Its whole work is done by a thread of librdkafka's; this one only waits.
#include "base/int128.h"
#include "base/stop.h"
#include "cli/cli.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

#define PARTITIONS_MAX  1000 // the mock gives each its own log; more has no use on one machine
#define TOPIC_BYTES_MAX 250  // Kafka's limit is 249
#define BROKERS         1

struct broker_config {
    struct option_list topics;
};

static const struct option table[] = {
    {"topic", OPTION_LIST, offsetof(struct broker_config, topics), .unit = "NAME:PARTITIONS",
     .text = "A topic to begin with; may be repeated. Without any: abacus.sums:4 and "
             "abacus.sums.dlq:1. Others are made with 4 partitions when first used."},
};

static const struct options_usage usage = {
    .program = "abacus-cli broker",
    .synopsis = "[--topic NAME:PARTITIONS]...",
    .purpose = "Runs a Kafka broker in memory until SIGTERM. The first line it prints is its "
               "address.",
};

static bool topic_create(rd_kafka_mock_cluster_t *cluster, const char *spec, struct err *err)
{
    const char *colon = strrchr(spec, ':');
    const size_t length = colon == NULL ? 0 : (size_t)(colon - spec);
    int64_t partitions;
    if (length == 0 || length >= TOPIC_BYTES_MAX ||
        !int64_parse(colon + 1, strlen(colon + 1), &partitions) || partitions < 1 ||
        partitions > PARTITIONS_MAX)
        return err_set(err, ERR_USAGE,
                       "--topic: \"%.100s\" is not NAME:PARTITIONS with 1 to %d partitions", spec,
                       PARTITIONS_MAX);
    char name[TOPIC_BYTES_MAX];
    snprintf(name, sizeof(name), "%.*s", (int)length, spec);
    const rd_kafka_resp_err_t code =
        rd_kafka_mock_topic_create(cluster, name, (int)partitions, BROKERS);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
           err_set(err, ERR_USAGE, "--topic: \"%.100s\": %s", spec, rd_kafka_err2str(code));
}

static bool topics_create(rd_kafka_mock_cluster_t *cluster, const struct option_list *topics,
                          struct err *err)
{
    static const struct option_list usual = {{"abacus.sums:4", "abacus.sums.dlq:1"}, 2};
    const struct option_list *list = topics->count > 0 ? topics : &usual;
    for (size_t i = 0; i < list->count; i++) {
        if (!topic_create(cluster, list->items[i], err))
            return false;
    }
    return true;
}

// The mock's own handle, which connects to nothing and is told not to say so. Its other property
// sends small answers at once.
static rd_kafka_t *handle_create(struct err *err)
{
    static const struct {
        const char *name, *value;
    } properties[] = {{"log_level", "4"}, {"socket.nagle.disable", "true"}};
    char trouble[ERR_TEXT_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < COUNT_OF(properties); i++)
        CHECK_INT(rd_kafka_conf_set(conf, properties[i].name, properties[i].value, trouble,
                                    sizeof(trouble)),
                  ==, RD_KAFKA_CONF_OK);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, trouble, sizeof(trouble));
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        err_set(err, ERR_UNAVAILABLE, "%s", trouble);
    }
    return handle;
}

static void serve(const rd_kafka_mock_cluster_t *cluster)
{
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    fprintf(stderr, "broker: in memory, for trying things out: events are gone when it ends, and "
                    "beyond 5 MiB a partition\n");
    while (!stop_wait(-1))
        continue;
}

int broker_main(int argc, char *const *argv)
{
    struct broker_config config;
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &none);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    struct err err;
    rd_kafka_mock_cluster_t *cluster = NULL;
    rd_kafka_t *handle = handle_create(&err);
    bool ok = handle != NULL;
    if (ok) {
        cluster = rd_kafka_mock_cluster_new(handle, BROKERS);
        ok = cluster != NULL || err_set(&err, ERR_UNAVAILABLE, "the mock cluster does not start");
    }
    ok = ok && topics_create(cluster, &config.topics, &err);
    if (ok)
        serve(cluster);
    else
        fprintf(stderr, "broker: %s\n", err.text);
    if (cluster != NULL)
        rd_kafka_mock_cluster_destroy(cluster);
    if (handle != NULL)
        rd_kafka_destroy(handle);
    return ok ? CLI_OK : err.code == ERR_USAGE ? CLI_UNKNOWN : CLI_FAILED;
}
