// SPDX-License-Identifier: Apache-2.0
// The relay between a real outbox and librdkafka's mock broker, which listens on a free port of
// 127.0.0.1. What arrives is read back and held against the promise: each sequence for the first
// time in order, none left out; again is allowed.
//
// That broker does not check the idempotent producer's numbers: after a request that it is told to
// refuse it takes the next one, which Kafka refuses too. So refusals are checked for holes only.
#ifndef ABACUS_TESTS_RELAY_FIXTURE_H
#define ABACUS_TESTS_RELAY_FIXTURE_H

#include "adder/relay.h"

#include "outbox_fixture.h"

#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#define TOPIC         "abacus.sums"
#define PARTITIONS    4
#define WAIT_MS       60000
#define SEQUENCES_MAX 70000

static const struct kafka_topic topic = {.name = TOPIC, .partitions = PARTITIONS, .replication = 1};

struct setup {
    struct fixture *f;
    rd_kafka_t *host; // the mock brokers live in a client
    rd_kafka_mock_cluster_t *cluster;
    struct relay *relay; // NULL: not running
};

static inline rd_kafka_t *client_of(rd_kafka_type_t type, const char *brokers)
{
    char text[ERR_TEXT_MAX] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    if (brokers != NULL)
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text));
    rd_kafka_conf_set(conf, "group.id", "unit", text, sizeof(text));
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof(text));
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    EXPECT(rk != NULL, "%s", text);
    return rk;
}

static inline void cluster_create(struct setup *s, int partitions)
{
    s->host = client_of(RD_KAFKA_PRODUCER, NULL);
    s->cluster = rd_kafka_mock_cluster_new(s->host, 1);
    assert_non_null(s->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(s->cluster, TOPIC, partitions, 1), 0);
}

static inline void cluster_destroy(struct setup *s)
{
    rd_kafka_mock_cluster_destroy(s->cluster);
    rd_kafka_destroy(s->host);
}

static inline void relay_begin(struct setup *s)
{
    const struct relay_config config = {
        .kafka = {rd_kafka_mock_cluster_bootstraps(s->cluster), NULL}, .topic = topic};
    struct err err = {.text = ""};
    EXPECT(relay_create(&s->relay, &config, s->f->outbox, &err), "%s", err.text);
}

static inline void relay_end(struct setup *s)
{
    relay_destroy(s->relay);
    s->relay = NULL;
}

static inline int begin(void **state)
{
    static struct setup s;
    s = (struct setup){.f = NULL};
    (void)set_up((void **)&s.f);
    fixture_open(s.f);
    cluster_create(&s, PARTITIONS);
    *state = &s;
    return 0;
}

static inline int finish(void **state)
{
    struct setup *s = *state;
    relay_end(s);
    cluster_destroy(s);
    return tear_down((void **)&s->f);
}

static inline void add_rows(struct setup *s, size_t n)
{
    append_rows(s->f->outbox, n, clock_unix_us());
    if (s->relay != NULL)
        relay_wake(s->relay);
}

// --- waiting ---
static inline void wait_published(struct setup *s, int64_t sequence)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    while (stats_of(s->f->outbox).published < sequence) {
        EXPECT(clock_mono_ns() < end, "published stays at %" PRId64 ", want %" PRId64,
               stats_of(s->f->outbox).published, sequence);
        (void)poll(NULL, 0, 1);
    }
}

static inline struct relay_status wait_connected(struct setup *s, bool connected)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    struct relay_status status;
    do {
        EXPECT(clock_mono_ns() < end, "connected does not become %d", connected);
        (void)poll(NULL, 0, 1);
        relay_status(s->relay, &status);
    } while (status.connected != connected ||
             (!connected && strcmp(status.trouble, "connecting") == 0));
    return status;
}

// --- what arrived ---
struct arrived {
    bool seen[SEQUENCES_MAX + 1];
    int64_t highest, count; // count: of different ones
    int64_t again, late;    // late: for the first time, but after a higher one
};

static inline void arrive(struct setup *s, const rd_kafka_message_t *message,
                          struct arrived *arrived)
{
    rd_kafka_headers_t *headers = NULL;
    (void)rd_kafka_message_headers(message, &headers);
    const struct event_message borrowed = {message->key, message->payload, message->key_len,
                                           message->len, headers};
    struct event event;
    struct err err = {.text = ""};
    EXPECT(event_decode(&borrowed, &event, &err), "%s", err.text);
    const struct uuid source = stats_of(s->f->outbox).source;
    assert_true(uuid_equal(&event.source, &source));
    assert_in_range(event.sequence, 1, SEQUENCES_MAX);
    if (arrived->seen[event.sequence]) {
        arrived->again++;
        return;
    }
    arrived->seen[event.sequence] = true;
    arrived->count++;
    if (event.sequence > arrived->highest)
        arrived->highest = event.sequence;
    else
        arrived->late++;
}

// Reads the source's partition from its beginning to its end.
static inline const struct arrived *read_back(struct setup *s)
{
    rd_kafka_t *rk = client_of(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(s->cluster));
    const int32_t partition = stats_of(s->f->outbox).partition;
    int64_t low, high;
    assert_int_equal(rd_kafka_query_watermark_offsets(rk, TOPIC, partition, &low, &high, WAIT_MS),
                     0);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, TOPIC, partition)->offset = 0;
    assert_int_equal(rd_kafka_assign(rk, list), 0);
    static struct arrived arrived;
    arrived = (struct arrived){.count = 0};
    for (int64_t next = 0; next < high;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        assert_non_null(message);
        EXPECT(message->err == 0, "%s", rd_kafka_message_errstr(message));
        arrive(s, message, &arrived);
        next = message->offset + 1;
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    assert_int_equal(arrived.count, arrived.highest); // no holes
    return &arrived;
}

static inline void expect_all_in_order(struct setup *s, int64_t sequence)
{
    const struct arrived *arrived = read_back(s);
    assert_int_equal(arrived->highest, sequence);
    assert_int_equal(arrived->late, 0);
}

static inline void expect_all_once(struct setup *s, int64_t sequence)
{
    const struct arrived *arrived = read_back(s);
    assert_int_equal(arrived->highest, sequence);
    assert_int_equal(arrived->late, 0);
    assert_int_equal(arrived->again, 0);
}

#endif
