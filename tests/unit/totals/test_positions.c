// SPDX-License-Identifier: Apache-2.0
// What is read, and from where, while Kafka does not tell everything. No group: partitions are
// assigned by hand.
#include "consumer_rig.h"

#include "totals/positions.h"

#define BROKER 1
#define AWAY   2             // a broker that can be taken away
#define WIDE   "abacus.wide" // another topic, of as many partitions as a test needs

struct positions_rig {
    struct consumer_rig *base;
    const char *topic;
    rd_kafka_t *rk;
    struct positions *positions;
};

// The mock answers nothing else on a connection while a fetch waits.
static rd_kafka_t *client_create(const char *brokers)
{
    static const char *const properties[][2] = {{"group.id", "unit"}, {"fetch.wait.max.ms", "5"}};
    char text[ERR_TEXT_MAX] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text));
    for (size_t i = 0; i < COUNT_OF(properties); i++)
        rd_kafka_conf_set(conf, properties[i][0], properties[i][1], text, sizeof(text));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    EXPECT(rk != NULL, "%s", text);
    return rk;
}

// In place of the rig's cluster, which has one broker.
static void brokers_create(struct consumer_rig *rig)
{
    cluster_destroy(rig);
    rig->host = client_of(RD_KAFKA_PRODUCER, NULL);
    rig->cluster = rd_kafka_mock_cluster_new(rig->host, 2);
    assert_int_equal(rd_kafka_mock_topic_create(rig->cluster, TOPIC, PARTITIONS, 1), 0);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(rd_kafka_mock_partition_set_leader(rig->cluster, TOPIC, i, BROKER), 0);
    rig->producer = client_of(RD_KAFKA_PRODUCER, brokers_of(rig));
}

static int set_up(void **state)
{
    static struct positions_rig rig;
    (void)consumer_rig_set_up((void **)&rig.base);
    brokers_create(rig.base);
    rig.rk = client_create(brokers_of(rig.base));
    rig.topic = TOPIC;
    rig.positions = positions_create(rig.rk, rig.topic, rig.base->file->ledger);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct positions_rig *rig = *state;
    positions_revoke(rig->positions);
    positions_destroy(rig->positions);
    rd_kafka_destroy(rig->rk);
    return consumer_rig_tear_down((void **)&rig->base);
}

static void wide_use(struct positions_rig *rig, int count)
{
    assert_int_equal(rd_kafka_mock_topic_create(rig->base->cluster, WIDE, count, 1), 0);
    rig->topic = WIDE;
    positions_destroy(rig->positions);
    rig->positions = positions_create(rig->rk, rig->topic, rig->base->file->ledger);
}

static void assign(struct positions_rig *rig, int32_t count)
{
    struct err err = {.text = ""};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    rd_kafka_topic_partition_list_add_range(list, rig->topic, 0, count - 1);
    EXPECT(positions_assign(rig->positions, list, &err), "%s", err.text);
    rd_kafka_topic_partition_list_destroy(list);
}

static void learn(struct positions_rig *rig)
{
    bool again;
    struct err err = {.text = ""};
    EXPECT(positions_learn(rig->positions, &again, &err), "%s", err.text);
}

// Goes on until Kafka has told of all.
static void learn_all(struct positions_rig *rig)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    while (positions_unknown(rig->positions)) {
        EXPECT(clock_mono_ns() < end, "there is still a partition that is not known");
        learn(rig);
        (void)poll(NULL, 0, 10);
    }
}

static void wait_unknown(struct positions_rig *rig)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    while (!positions_unknown(rig->positions)) {
        EXPECT(clock_mono_ns() < end, "all partitions are still known");
        positions_ask_ends(rig->positions);
        (void)poll(NULL, 0, 10);
    }
}

// How long ago Kafka said where it ends; -1: it did not.
static int64_t end_age_ms(struct positions_rig *rig, int32_t partition)
{
    struct consumer_partition *list;
    const size_t count = positions_list(rig->positions, &list);
    assert_true(count > (size_t)partition);
    const int64_t age_ms = list[partition].end_age_ms;
    free(list);
    return age_ms;
}

static void wait_known(struct positions_rig *rig, int32_t partition)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    while (end_age_ms(rig, partition) < 0) {
        EXPECT(clock_mono_ns() < end, "partition %d is not known", partition);
        learn(rig);
        (void)poll(NULL, 0, 10);
    }
}

static void expect_read_from_beginning(struct positions_rig *rig)
{
    rd_kafka_message_t *m = rd_kafka_consumer_poll(rig->rk, WAIT_MS);
    EXPECT(m != NULL && m->err == 0, "no event comes");
    assert_int_equal(m->offset, 0);
    assert_true(positions_read(rig->positions, m->partition, m->offset));
    rd_kafka_message_destroy(m);
}

// They are with a broker that does not answer: each question waits for as long as it may.
static void take_away(struct positions_rig *rig, int32_t first, int32_t last)
{
    rd_kafka_mock_cluster_t *cluster = rig->base->cluster;
    for (int32_t i = first; i <= last; i++)
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, rig->topic, i, AWAY), 0);
    assert_int_equal(rd_kafka_mock_broker_set_down(cluster, AWAY), 0);
}

// The topic was made anew and is shorter now than what was read: an event that comes now is
// somewhere in the middle of the new one. Taken, it would move the ledger past its beginning.
static void nothing_is_read_from_a_partition_that_became_another_one(void **state)
{
    struct positions_rig *rig = *state;
    put_events(rig->base, 0, 1, (struct range){1, 50});
    put_flush(rig->base);
    assign(rig, 1);
    learn_all(rig);
    assert_true(positions_read(rig->positions, 0, 59)); // the old one was longer
    wait_unknown(rig);
    assert_false(positions_read(rig->positions, 0, 60));
    learn_all(rig);
    expect_read_from_beginning(rig);
}

static void ends_are_heard_also_while_the_broker_of_another_partition_is_away(void **state)
{
    struct positions_rig *rig = *state;
    take_away(rig, 1, 1);
    assign(rig, PARTITIONS);
    wait_known(rig, 0);
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    for (int64_t before_ms = -1; end_age_ms(rig, 0) >= before_ms;
         positions_ask_ends(rig->positions)) {
        EXPECT(clock_mono_ns() < end, "the end is not asked for any more");
        before_ms = end_age_ms(rig, 0);
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(end_age_ms(rig, 1), -1);
}

// Reading goes on in the middle then; what comes from there must not move the ledger's place.
static void a_partition_that_cannot_go_back_to_its_beginning_is_not_read(void **state)
{
    struct positions_rig *rig = *state;
    put_events(rig->base, 0, 1, (struct range){1, 50});
    put_flush(rig->base);
    assign(rig, 1);
    learn_all(rig);
    assert_int_equal(rd_kafka_assign(rig->rk, NULL), 0); // so that it cannot
    positions_restart(rig->positions, 0);
    assert_true(positions_unknown(rig->positions));
    assert_false(positions_read(rig->positions, 0, 20));
    learn_all(rig);
    expect_read_from_beginning(rig);
}

static void a_partition_is_known_soon_also_after_many_whose_broker_is_away(void **state)
{
    struct positions_rig *rig = *state;
    enum { MANY = 12 };
    wide_use(rig, MANY + 1);
    assert_int_equal(
        rd_kafka_mock_partition_set_leader(rig->base->cluster, rig->topic, MANY, BROKER), 0);
    take_away(rig, 0, MANY - 1);
    const int64_t begun = clock_mono_ns();
    assign(rig, MANY + 1);
    wait_known(rig, MANY);
    const int64_t ms = (clock_mono_ns() - begun) / NS_PER_MS; // one in each turn: 30 s
    EXPECT(ms < 15000, "it took %lld ms: are all asked in one turn?", (long long)ms);
}

// While it lasts nothing is read, and no stop is heard.
static void asking_has_a_limit_however_many_partitions_there_are(void **state)
{
    struct positions_rig *rig = *state;
    enum { MANY = 128 };
    wide_use(rig, MANY);
    for (int32_t i = 0; i < MANY; i++) { // the way to the brokers is known from here on
        int64_t first, end;
        assert_int_equal(rd_kafka_query_watermark_offsets(rig->rk, WIDE, i, &first, &end, WAIT_MS),
                         0);
    }
    for (int32_t broker = BROKER; broker <= AWAY; broker++)
        assert_int_equal(rd_kafka_mock_broker_set_rtt(rig->base->cluster, broker, 40), 0);
    const int64_t begun = clock_mono_ns();
    assign(rig, MANY);
    const int64_t ms = (clock_mono_ns() - begun) / NS_PER_MS; // two questions for each: 10 s
    EXPECT(ms < 7000, "it took %lld ms: is there a limit for all together?", (long long)ms);
    assert_true(positions_unknown(rig->positions));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_read_from_a_partition_that_became_another_one),
        TEST(ends_are_heard_also_while_the_broker_of_another_partition_is_away),
        TEST(a_partition_that_cannot_go_back_to_its_beginning_is_not_read),
        TEST(a_partition_is_known_soon_also_after_many_whose_broker_is_away),
        TEST(asking_has_a_limit_however_many_partitions_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
