// SPDX-License-Identifier: Apache-2.0
// What the tests of the consumer share: a ledger in a file, librdkafka's mock broker on a free port
// of 127.0.0.1, and short ways to put messages into the topic. That broker lets the first member of
// a group wait 3 s, so each start of a consumer takes so long.
#ifndef ABACUS_TESTS_CONSUMER_RIG_H
#define ABACUS_TESTS_CONSUMER_RIG_H

#include "ledger_rig.h"

#include "base/clock.h"
#include "totals/consumer.h"
#include "totals/dead_letters.h"

#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <string.h>

#define TOPIC        "abacus.sums"
#define DEAD_LETTERS "abacus.sums.dlq"
#define PARTITIONS   2
#define WAIT_MS      60000

struct consumer_rig {
    struct rig *file;
    rd_kafka_t *host, *producer; // the mock brokers live in a client
    rd_kafka_mock_cluster_t *cluster;
    struct option_list properties;
    struct readiness *readiness;
    struct consumer *consumer; // NULL: not running
};

static inline rd_kafka_t *client_of(rd_kafka_type_t type, const char *brokers)
{
    char text[ERR_TEXT_MAX] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    if (brokers != NULL)
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text));
    rd_kafka_conf_set(conf, "group.id", "unit", text, sizeof(text));
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    EXPECT(rk != NULL, "%s", text);
    return rk;
}

static inline const char *brokers_of(const struct consumer_rig *rig)
{
    return rd_kafka_mock_cluster_bootstraps(rig->cluster);
}

// An empty Kafka.
static inline void cluster_create(struct consumer_rig *rig)
{
    rig->host = client_of(RD_KAFKA_PRODUCER, NULL);
    rig->cluster = rd_kafka_mock_cluster_new(rig->host, 1);
    assert_int_equal(rd_kafka_mock_topic_create(rig->cluster, TOPIC, PARTITIONS, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(rig->cluster, DEAD_LETTERS, 1, 1), 0);
    rig->producer = client_of(RD_KAFKA_PRODUCER, brokers_of(rig));
}

static inline void cluster_destroy(struct consumer_rig *rig)
{
    rd_kafka_destroy(rig->producer);
    rd_kafka_mock_cluster_destroy(rig->cluster);
    rd_kafka_destroy(rig->host);
}

static inline void consumer_begin(struct consumer_rig *rig)
{
    const struct consumer_config config = {
        .kafka = {brokers_of(rig), &rig->properties},
        .topic = {TOPIC, PARTITIONS, 1},
        .dead_letter_topic = {DEAD_LETTERS, 1, 1},
        .group = "totals",
        .readiness = rig->readiness,
    };
    struct err err = {.text = ""};
    EXPECT(consumer_create(&rig->consumer, &config, rig->file->ledger, &err), "%s", err.text);
}

static inline void consumer_end(struct consumer_rig *rig)
{
    if (rig->consumer == NULL)
        return;
    consumer_stop(rig->consumer);
    consumer_destroy(rig->consumer);
    rig->consumer = NULL;
}

static inline int consumer_rig_set_up(void **state)
{
    static struct consumer_rig rig;
    static const char *const conditions[] = {"ledger"};
    rig = (struct consumer_rig){.consumer = NULL};
    (void)rig_set_up((void **)&rig.file);
    rig.properties.items[rig.properties.count++] = "fetch.wait.max.ms=5"; // the mock waits it out
    rig.readiness = readiness_create(conditions, COUNT_OF(conditions));
    readiness_set(rig.readiness, 0, true, "");
    cluster_create(&rig);
    *state = &rig;
    return 0;
}

static inline int consumer_rig_tear_down(void **state)
{
    struct consumer_rig *rig = *state;
    consumer_end(rig);
    cluster_destroy(rig);
    readiness_destroy(rig->readiness);
    return rig_tear_down((void **)&rig->file);
}

// --- messages ---
static inline void put(struct consumer_rig *rig, int32_t partition, const char *key,
                       const char *value, rd_kafka_headers_t *headers)
{
    rd_kafka_resp_err_t code;
    while ((code = rd_kafka_producev(
                rig->producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(partition),
                RD_KAFKA_V_KEY(key, strlen(key)),
                RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
                RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(rig->producer, 10);
    assert_int_equal(code, 0);
}

// Event `sequence` of a source; its sum is its sequence.
static inline void put_event(struct consumer_rig *rig, int32_t partition, int source,
                             int64_t sequence)
{
    const struct event event = {.source = rig_source(source),
                                .sequence = sequence,
                                .a = sequence,
                                .sum = sequence,
                                .accepted_unix_us = clock_unix_us()};
    struct event_value value;
    rd_kafka_headers_t *headers;
    event_encode(&event, &value, &headers);
    put(rig, partition, event.source.text, value.text, headers);
}

static inline void put_events(struct consumer_rig *rig, int32_t partition, int source,
                              struct range sequences)
{
    for (int64_t i = sequences.first; i <= sequences.last; i++)
        put_event(rig, partition, source, i);
}

static inline void put_nonsense(struct consumer_rig *rig, int32_t partition)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, "mine", -1, "kept", -1);
    put(rig, partition, "some key", "some value", headers);
}

static inline void put_flush(struct consumer_rig *rig)
{
    assert_int_equal(rd_kafka_flush(rig->producer, WAIT_MS), 0);
}

// --- dead letters ---

// Reads the dead-letter topic from its beginning; the message is owned.
static inline rd_kafka_message_t *dead_letter_read(struct consumer_rig *rig, int64_t offset)
{
    rd_kafka_t *reader = client_of(RD_KAFKA_CONSUMER, brokers_of(rig));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, DEAD_LETTERS, 0)->offset = offset;
    assert_int_equal(rd_kafka_assign(reader, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, WAIT_MS);
    EXPECT(m != NULL && m->err == 0, "no dead letter at offset %lld", (long long)offset);
    rd_kafka_headers_t *headers = NULL;
    (void)rd_kafka_message_headers(m, &headers);
    rd_kafka_message_detach_headers(m, &headers);
    rd_kafka_message_t *copy = xcalloc(1, sizeof(*copy)); // outlives the reader
    copy->key = xasprintf("%.*s", (int)m->key_len, (const char *)m->key);
    copy->payload = xasprintf("%.*s", (int)m->len, m->len > 0 ? (const char *)m->payload : "");
    copy->_private = headers;
    rd_kafka_message_destroy(m);
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return copy;
}

static inline void dead_letter_free(rd_kafka_message_t *letter)
{
    rd_kafka_headers_destroy(letter->_private);
    free(letter->key);
    free(letter->payload);
    free(letter);
}

static inline void expect_header(const rd_kafka_message_t *letter, const char *name,
                                 const char *value)
{
    const void *found = "(none)";
    size_t length = strlen(found);
    (void)rd_kafka_header_get_last(letter->_private, name, &found, &length);
    EXPECT(strncmp(found, value, strlen(value)) == 0, "%s: %.*s, want %s", name, (int)length,
           (const char *)found, value);
}

// --- waiting ---
static inline void wait_for(struct consumer_rig *rig,
                            bool (*is)(const struct ledger_total *total, int64_t n), int64_t n)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    struct ledger_total total;
    while (total = rig_total(rig->file), !is(&total, n)) {
        EXPECT(clock_mono_ns() < end, "count %lld, duplicates %lld, dead %lld; want %lld",
               (long long)total.count, (long long)total.duplicates, (long long)total.dead_letters,
               (long long)n);
        (void)poll(NULL, 0, 1);
    }
}

static inline bool count_is(const struct ledger_total *total, int64_t n)
{
    return total->count == n;
}

static inline bool duplicates_are(const struct ledger_total *total, int64_t n)
{
    return total->duplicates == n;
}

static inline bool dead_letters_are(const struct ledger_total *total, int64_t n)
{
    return total->dead_letters == n;
}

static inline void wait_ready(struct consumer_rig *rig, bool ready)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    while (readiness_get(rig->readiness) != ready) {
        EXPECT(clock_mono_ns() < end, "readiness does not become %d", ready);
        (void)poll(NULL, 0, 1);
    }
}

#endif
