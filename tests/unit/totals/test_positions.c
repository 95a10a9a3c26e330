// SPDX-License-Identifier: Apache-2.0
// What is read, and from where, while Kafka does not tell everything. No group: partitions are
// assigned by hand.
#include "consumer_rig.h"

#include "totals/positions.h"

struct positions_rig {
    struct consumer_rig *base;
    rd_kafka_t *rk;
    struct positions *positions;
};

static int set_up(void **state)
{
    static struct positions_rig rig;
    (void)consumer_rig_set_up((void **)&rig.base);
    rig.rk = client_of(RD_KAFKA_CONSUMER, brokers_of(rig.base));
    rig.positions = positions_create(rig.rk, TOPIC, rig.base->file->ledger);
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

static void assign(struct positions_rig *rig, int32_t count)
{
    struct err err = {.text = ""};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    rd_kafka_topic_partition_list_add_range(list, TOPIC, 0, count - 1);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_read_from_a_partition_that_became_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
