// SPDX-License-Identifier: Apache-2.0
// What is read, and from where, while Kafka does not tell everything. No group: partitions are
// assigned by hand.
#include "consumer_rig.h"

#include "totals/positions.h"

#define BROKER 1
#define WIDE   "abacus.wide" // another topic, of as many partitions as a test needs

struct positions_rig {
    struct consumer_rig *base;
    const char *topic;
    rd_kafka_t *rk;
    struct positions *positions;
};

static int set_up(void **state)
{
    static struct positions_rig rig;
    (void)consumer_rig_set_up((void **)&rig.base);
    rig.rk = client_of(RD_KAFKA_CONSUMER, brokers_of(rig.base));
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

static void leader_take(struct positions_rig *rig, int32_t partition)
{
    rd_kafka_mock_cluster_t *cluster = rig->base->cluster;
    assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, rig->topic, partition, -1), 0);
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
    assert_true(positions_read(rig->positions, 0, 0));
}

static void ends_are_heard_also_while_another_partition_has_no_leader(void **state)
{
    struct positions_rig *rig = *state;
    leader_take(rig, 1);
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
    assert_true(positions_read(rig->positions, 0, 0));
}

// Each that has none keeps the question waiting for as long as there is patience.
static void a_partition_is_known_soon_also_after_many_without_a_leader(void **state)
{
    struct positions_rig *rig = *state;
    enum { LEADERLESS = 12 };
    wide_use(rig, LEADERLESS + 1);
    for (int32_t i = 0; i < LEADERLESS; i++)
        leader_take(rig, i);
    const int64_t begun = clock_mono_ns();
    assign(rig, LEADERLESS + 1);
    wait_known(rig, LEADERLESS);
    const int64_t ms = (clock_mono_ns() - begun) / NS_PER_MS; // one in each turn: 30 s
    EXPECT(ms < 15000, "it took %lld ms: are all asked in one turn?", (long long)ms);
}

// While it lasts nothing is read, and no stop is heard.
static void asking_has_a_limit_however_many_partitions_there_are(void **state)
{
    struct positions_rig *rig = *state;
    enum { MANY = 64 };
    wide_use(rig, MANY);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(rig->base->cluster, BROKER, 80), 0);
    const int64_t begun = clock_mono_ns();
    assign(rig, MANY);
    const int64_t ms = (clock_mono_ns() - begun) / NS_PER_MS; // two questions for each: 10 s
    EXPECT(ms < 7000, "it took %lld ms: is there a limit for all together?", (long long)ms);
    assert_true(positions_unknown(rig->positions));
    assert_int_equal(rd_kafka_mock_broker_set_rtt(rig->base->cluster, BROKER, 0), 0);
    learn_all(rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_read_from_a_partition_that_became_another_one),
        TEST(ends_are_heard_also_while_another_partition_has_no_leader),
        TEST(a_partition_that_cannot_go_back_to_its_beginning_is_not_read),
        TEST(a_partition_is_known_soon_also_after_many_without_a_leader),
        TEST(asking_has_a_limit_however_many_partitions_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
