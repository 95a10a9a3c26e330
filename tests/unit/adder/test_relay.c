// SPDX-License-Identifier: Apache-2.0
#include "relay_fixture.h"

#include <pthread.h>
#include <sys/resource.h>

#define PRODUCE 0 // Kafka's number of that request

static void every_row_arrives_once_and_in_order(void **state)
{
    struct setup *s = *state;
    add_rows(s, 3000); // these wait already
    relay_begin(s);
    for (int i = 0; i < 200; i++)
        add_rows(s, 25);
    wait_published(s, 8000);
    expect_all_once(s, 8000);
    assert_string_equal(wait_connected(s, true).trouble, "");
}

static void a_restart_goes_on_from_what_is_published(void **state)
{
    struct setup *s = *state;
    int64_t rows = 0;
    for (int life = 0; life < 8; life++) {
        add_rows(s, 2000);
        rows += 2000;
        relay_begin(s);
        wait_published(s, rows - 2000 + 1); // somewhere in the middle
        relay_end(s);
        fixture_restart(s->f);
    }
    relay_begin(s);
    wait_published(s, rows);
    expect_all_in_order(s, rows);
}

static void rows_wait_while_the_broker_is_away(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    add_rows(s, 500);
    wait_published(s, 500);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(rd_kafka_mock_broker_set_down(s->cluster, 1), 0);
        add_rows(s, 700);
        const struct relay_status status = wait_connected(s, false);
        assert_true(strlen(status.trouble) > 0);
        assert_int_equal(rd_kafka_mock_broker_set_up(s->cluster, 1), 0);
        wait_published(s, 500 + 700 * (round + 1));
        (void)wait_connected(s, true);
    }
    expect_all_in_order(s, 500 + 3 * 700);
}

static void a_broker_that_returns_while_nothing_is_sent_is_noticed(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    assert_int_equal(rd_kafka_mock_broker_set_down(s->cluster, 1), 0);
    (void)wait_connected(s, false);
    assert_int_equal(rd_kafka_mock_broker_set_up(s->cluster, 1), 0);
    (void)wait_connected(s, true);
    add_rows(s, 10);
    wait_published(s, 20);
    expect_all_in_order(s, 20);
}

static void a_start_without_broker_waits_for_one(void **state)
{
    struct setup *s = *state;
    assert_int_equal(rd_kafka_mock_broker_set_down(s->cluster, 1), 0);
    relay_begin(s);
    add_rows(s, 10);
    (void)wait_connected(s, false);
    assert_int_equal(rd_kafka_mock_broker_set_up(s->cluster, 1), 0);
    wait_published(s, 10);
    expect_all_in_order(s, 10);
}

static void no_error_of_a_broker_makes_a_hole(void **state)
{
    struct setup *s = *state;
    static const struct {
        rd_kafka_resp_err_t code;
        size_t times;
    } table[] = {
        {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 3},
        {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 2},
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 2},
        {RD_KAFKA_RESP_ERR__TRANSPORT, 1}, // cuts the connection
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 3},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1},
        {RD_KAFKA_RESP_ERR_INVALID_MSG, 1},
        {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 1},
        {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1},
        {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, 1},
    };
    int64_t rows = 500;
    relay_begin(s);
    add_rows(s, 500);
    wait_published(s, rows);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        for (size_t k = 0; k < table[i].times; k++)
            rd_kafka_mock_push_request_errors(s->cluster, PRODUCE, 1, table[i].code);
        for (int k = 0; k < 20; k++)
            add_rows(s, 100);
        rows += 2000;
        wait_published(s, rows);
    }
    (void)wait_connected(s, true);
    assert_int_equal(read_back(s)->highest, rows);
}

// A broker takes any first sequence of a producer that it does not know. So with a second batch on
// its way beside the first, librdkafka would take the second's success for the first's as well.
static void a_first_batch_that_is_turned_away_is_not_taken_for_acknowledged(void **state)
{
    struct setup *s = *state;
    static const struct option_list properties = {.items = {"batch.num.messages=1", "linger.ms=0"},
                                                  .count = 2};
    const struct relay_config config = {{rd_kafka_mock_cluster_bootstraps(s->cluster), &properties},
                                        topic};
    struct err err = {.text = ""};
    rd_kafka_mock_push_request_errors(s->cluster, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    add_rows(s, 200);
    EXPECT(relay_create(&s->relay, &config, s->f->outbox, &err), "%s", err.text);
    wait_published(s, 200);
    expect_all_in_order(s, 200);
}

// Each time one descriptor more is left to the new publisher, until it gets all it needs.
static void a_process_out_of_descriptors_goes_on_when_there_are_some(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    struct rlimit limit;
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int next = dup(0);
    close(next);
    for (int more = -5; more < 15; more++) {
        const struct rlimit scarce = {(rlim_t)(next + more), limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
        EXPECT(relay_replay(s->relay, 1, &err), "%s", err.text);
        (void)poll(NULL, 0, 20);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        wait_published(s, 10);
    }
}

// After a commit of unknown outcome rows turn up that nobody announces.
static void rows_that_nobody_announced_are_found(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    append_rows(s->f->outbox, 10, clock_unix_us());
    wait_published(s, 20);
    expect_all_once(s, 20);
}

static void a_slow_broker_only_slows(void **state)
{
    struct setup *s = *state;
    assert_int_equal(rd_kafka_mock_broker_set_rtt(s->cluster, 1, 100), 0);
    relay_begin(s);
    for (int i = 0; i < 30; i++)
        add_rows(s, 300);
    wait_published(s, 9000); // more than a window
    expect_all_once(s, 9000);
}

static void a_broker_that_takes_and_does_not_answer_is_trouble(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    (void)wait_connected(s, true);
    // Long beyond the relay's patience, so that the trouble lasts until it is seen.
    assert_int_equal(rd_kafka_mock_broker_set_rtt(s->cluster, 1, 15000), 0);
    add_rows(s, 10);
    const struct relay_status status = wait_connected(s, false);
    EXPECT(strstr(status.trouble, "acknowledge") != NULL, "%s", status.trouble);
    wait_published(s, 10);
    (void)wait_connected(s, true);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(s->cluster, 1, 0), 0); // for reading back
    expect_all_in_order(s, 10);
}

static void a_replay_publishes_again_from_there(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    relay_begin(s);
    add_rows(s, 1000);
    wait_published(s, 1000);
    EXPECT(relay_replay(s->relay, 401, &err), "%s", err.text);
    wait_published(s, 1000);
    const struct arrived *arrived = read_back(s);
    assert_int_equal(arrived->highest, 1000);
    assert_int_equal(arrived->again, 600);
}

static void a_replay_under_way_does_not_move_published_by_old_reports(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    assert_int_equal(rd_kafka_mock_broker_set_rtt(s->cluster, 1, 50), 0);
    relay_begin(s);
    int64_t rows = 0;
    for (int i = 0; i < 10; i++) {
        add_rows(s, 500);
        rows += 500;
        wait_published(s, rows - 499);
        EXPECT(relay_replay(s->relay, 1, &err), "%s", err.text);
        // The outbox checks that published never goes back or ahead by itself.
    }
    assert_int_equal(rd_kafka_mock_broker_set_rtt(s->cluster, 1, 0), 0);
    wait_published(s, rows);
    expect_all_in_order(s, rows);
}

static void a_replay_of_a_row_that_is_not_there_is_refused(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    assert_false(relay_replay(s->relay, 11, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    add_rows(s, 10); // and nothing has changed
    wait_published(s, 20);
    expect_all_in_order(s, 20);
}

static void a_replay_does_not_wait_for_a_broker(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    assert_int_equal(rd_kafka_mock_broker_set_down(s->cluster, 1), 0);
    EXPECT(relay_replay(s->relay, 1, &err), "%s", err.text);
    assert_int_equal(rd_kafka_mock_broker_set_up(s->cluster, 1), 0);
    wait_published(s, 10);
    assert_int_equal(read_back(s)->again, 10);
    assert_true(relay_stop(s->relay, 0));
    assert_false(relay_replay(s->relay, 1, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void *replay_often(void *arg)
{
    struct setup *s = arg;
    for (int i = 0; i < 20; i++) {
        struct err err;
        if (!relay_replay(s->relay, 1 + i, &err))
            return arg; // stopped
    }
    return NULL;
}

static void replays_of_several_threads_take_turns_and_end_with_the_relay(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    add_rows(s, 100);
    wait_published(s, 100);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, replay_often, s), 0);
    wait_published(s, 1);
    (void)relay_stop(s->relay, 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void a_source_keeps_its_partition(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    const int32_t partition = stats_of(s->f->outbox).partition;
    assert_in_range(partition, 0, PARTITIONS - 1);
    relay_end(s);
    cluster_destroy(s);
    fixture_restart(s->f);

    cluster_create(s, 100); // more partitions: it stays where it is
    add_rows(s, 10);
    relay_begin(s);
    wait_published(s, 20);
    assert_int_equal(stats_of(s->f->outbox).partition, partition);
}

static void a_partition_of_others_without_leader_is_no_trouble(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    assert_true(outbox_partition_set(s->f->outbox, 1, &err));
    assert_int_equal(rd_kafka_mock_partition_set_leader(s->cluster, TOPIC, 2, -1), 0);
    relay_begin(s);
    add_rows(s, 10);
    wait_published(s, 10);
    assert_int_equal(rd_kafka_mock_partition_set_leader(s->cluster, TOPIC, 1, -1), 0);
    add_rows(s, 10);
    (void)poll(NULL, 0, 100);
    assert_int_equal(stats_of(s->f->outbox).published, 10); // its own is
    assert_int_equal(rd_kafka_mock_partition_set_leader(s->cluster, TOPIC, 1, 1), 0);
    wait_published(s, 20);
    expect_all_in_order(s, 20);
}

static void a_topic_that_lost_the_source_s_partition_is_trouble(void **state)
{
    struct setup *s = *state;
    struct err err = {.text = ""};
    assert_true(outbox_partition_set(s->f->outbox, PARTITIONS, &err));
    add_rows(s, 10);
    relay_begin(s);
    const struct relay_status status = wait_connected(s, false);
    EXPECT(strstr(status.trouble, "partition 4") != NULL, "%s", status.trouble);
    assert_int_equal(stats_of(s->f->outbox).published, 0);
}

static void a_stop_publishes_what_is_left_if_it_can(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    (void)wait_connected(s, true);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(s->cluster, 1, 100), 0);
    add_rows(s, 1000);
    assert_true(relay_stop(s->relay, WAIT_MS));
    assert_int_equal(stats_of(s->f->outbox).published, 1000);
    expect_all_in_order(s, 1000);
}

static void a_stop_does_not_wait_for_a_broker_longer_than_asked(void **state)
{
    struct setup *s = *state;
    relay_begin(s);
    (void)wait_connected(s, true);
    assert_int_equal(rd_kafka_mock_broker_set_down(s->cluster, 1), 0);
    add_rows(s, 1000);
    const int64_t begun = clock_mono_ns();
    assert_false(relay_stop(s->relay, 300));
    EXPECT(clock_mono_ns() - begun < WAIT_MS / 2 * NS_PER_MS, "it took %" PRId64 " ms",
           (clock_mono_ns() - begun) / NS_PER_MS);
    assert_int_equal(rd_kafka_mock_broker_set_up(s->cluster, 1), 0);
    relay_end(s);
    relay_begin(s); // the next start makes up for it
    wait_published(s, 1000);
    expect_all_in_order(s, 1000);
}

static void a_wrong_property_is_refused_at_once(void **state)
{
    struct setup *s = *state;
    static const struct option_list properties = {.items = {"acks=1"}, .count = 1};
    const struct relay_config config = {{"127.0.0.1:1", &properties}, topic};
    struct err err = {.text = ""};
    assert_false(relay_create(&s->relay, &config, s->f->outbox, &err));
    assert_int_equal(err.code, ERR_USAGE);
    EXPECT(strstr(err.text, "acks") != NULL, "%s", err.text);
}

static void a_small_queue_in_librdkafka_only_slows(void **state)
{
    struct setup *s = *state;
    static const struct option_list properties = {.items = {"queue.buffering.max.messages=10"},
                                                  .count = 1};
    const struct relay_config config = {{rd_kafka_mock_cluster_bootstraps(s->cluster), &properties},
                                        topic};
    struct err err = {.text = ""};
    EXPECT(relay_create(&s->relay, &config, s->f->outbox, &err), "%s", err.text);
    add_rows(s, 1000);
    wait_published(s, 1000);
    expect_all_once(s, 1000);
}

#define RELAY_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(every_row_arrives_once_and_in_order),
        RELAY_TEST(a_restart_goes_on_from_what_is_published),
        RELAY_TEST(rows_wait_while_the_broker_is_away),
        RELAY_TEST(a_broker_that_returns_while_nothing_is_sent_is_noticed),
        RELAY_TEST(a_start_without_broker_waits_for_one),
        RELAY_TEST(no_error_of_a_broker_makes_a_hole),
        RELAY_TEST(a_first_batch_that_is_turned_away_is_not_taken_for_acknowledged),
        RELAY_TEST(a_process_out_of_descriptors_goes_on_when_there_are_some),
        RELAY_TEST(rows_that_nobody_announced_are_found),
        RELAY_TEST(a_slow_broker_only_slows),
        RELAY_TEST(a_broker_that_takes_and_does_not_answer_is_trouble),
        RELAY_TEST(a_replay_publishes_again_from_there),
        RELAY_TEST(a_replay_under_way_does_not_move_published_by_old_reports),
        RELAY_TEST(a_replay_of_a_row_that_is_not_there_is_refused),
        RELAY_TEST(a_replay_does_not_wait_for_a_broker),
        RELAY_TEST(replays_of_several_threads_take_turns_and_end_with_the_relay),
        RELAY_TEST(a_source_keeps_its_partition),
        RELAY_TEST(a_partition_of_others_without_leader_is_no_trouble),
        RELAY_TEST(a_topic_that_lost_the_source_s_partition_is_trouble),
        RELAY_TEST(a_stop_publishes_what_is_left_if_it_can),
        RELAY_TEST(a_stop_does_not_wait_for_a_broker_longer_than_asked),
        RELAY_TEST(a_wrong_property_is_refused_at_once),
        RELAY_TEST(a_small_queue_in_librdkafka_only_slows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
