// SPDX-License-Identifier: Apache-2.0
// What goes wrong around the consumer: Kafka away, wiped or refusing; a ledger that moves or fails.
#include "consumer_rig.h"

#define PRODUCE      0 // Kafka's numbers of requests
#define LIST_OFFSETS 2
#define BROKER       1

static void wait_for_end(struct consumer_rig *rig, int32_t partition, int64_t settled_offset)
{
    const int64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
    struct consumer_partition last = {.settled_offset = -1, .end_offset = -1};
    while (last.end_offset != settled_offset || last.settled_offset != settled_offset) {
        EXPECT(clock_mono_ns() < end, "partition %d: settled %lld, end %lld; want both %lld",
               last.partition, (long long)last.settled_offset, (long long)last.end_offset,
               (long long)settled_offset);
        struct consumer_partition *list;
        if (consumer_partitions(rig->consumer, &list) > (size_t)partition)
            last = list[partition];
        free(list);
        (void)poll(NULL, 0, 1);
    }
}

// The broker of a topic that was just made says so while its partitions are still on their way. It
// has to come to "nothing is there, and all of it was read" all the same: others wait for that.
static void an_empty_topic_is_read_to_its_end_also_if_kafka_did_not_know_it_at_first(void **state)
{
    struct consumer_rig *rig = *state;
    rd_kafka_mock_push_request_errors(
        rig->cluster, LIST_OFFSETS, 4, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    consumer_begin(rig);
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        wait_for_end(rig, partition, 0);
}

// Where the ledger is in a topic is not believed before Kafka has said something to hold it
// against: here it is another topic, and what stands before that place would not be read.
static void a_topic_made_anew_is_found_also_if_kafka_did_not_know_it_at_first(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 50});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 50);
    consumer_end(rig);
    cluster_destroy(rig);
    cluster_create(rig);
    put_events(rig, 0, 2, (struct range){1, 60});
    put_flush(rig);
    rd_kafka_mock_push_request_errors(rig->cluster, LIST_OFFSETS, 2,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    consumer_begin(rig);
    wait_for(rig, count_is, 110);
    assert_int_equal(rig_total(rig->file).missing, 0);
}

static void kafka_may_come_later(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 5});
    put_flush(rig);
    assert_int_equal(rd_kafka_mock_broker_set_down(rig->cluster, BROKER), 0);
    consumer_begin(rig);
    struct consumer_partition *none;
    assert_int_equal(consumer_partitions(rig->consumer, &none), 0);
    free(none);
    (void)poll(NULL, 0, 300); // some of its attempts fail
    assert_true(readiness_get(rig->readiness));
    assert_int_equal(rd_kafka_mock_broker_set_up(rig->cluster, BROKER), 0);
    wait_for(rig, count_is, 5);
}

static void a_stop_does_not_wait_for_a_kafka_that_is_away(void **state)
{
    struct consumer_rig *rig = *state;
    put_event(rig, 0, 1, 1);
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 1);
    assert_int_equal(rd_kafka_mock_broker_set_down(rig->cluster, BROKER), 0);
    const int64_t begun = clock_mono_ns();
    consumer_end(rig);
    EXPECT(clock_mono_ns() - begun < WAIT_MS / 2 * NS_PER_MS, "the stop took too long");
}

// Another process took the partition over and went back to its beginning: what is in hand is
// dropped, and what comes again is known.
static void a_ledger_moved_by_another_owner_is_read_again(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 20});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 20);
    rig_alter(rig->file, "UPDATE partition SET next_offset = 5; UPDATE ledger SET version = 99");
    put_events(rig, 0, 1, (struct range){21, 22});
    put_flush(rig);
    wait_for(rig, count_is, 22);
    const struct ledger_total total = rig_total(rig->file);
    assert_int_equal(total.duplicates, 15);
    assert_true(total.sum == 22 * 23 / 2);
}

static void a_topic_made_anew_is_read_from_its_beginning(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 50});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 50);
    consumer_end(rig);
    cluster_destroy(rig);
    cluster_create(rig);
    put_events(rig, 0, 1, (struct range){41, 52}); // the adder sends again what it has
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 52);
    wait_for(rig, duplicates_are, 10);
}

// The ledger's place is within the new topic, where it says nothing; without a look at what stands
// before it, another source's events would be passed over without ever showing as missing.
static void a_topic_made_anew_and_longer_is_read_from_its_beginning(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 50});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 50);
    consumer_end(rig);
    cluster_destroy(rig);
    cluster_create(rig);
    put_events(rig, 0, 2, (struct range){1, 10});
    put_events(rig, 0, 1, (struct range){41, 120});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 130);
    const struct ledger_total total = rig_total(rig->file);
    assert_int_equal(total.missing, 0);
    assert_int_equal(total.duplicates, 10);
}

// The store refuses every write: nothing is counted, nothing is lost, and it goes on by itself.
static void a_ledger_that_cannot_write_is_not_ready_until_it_can(void **state)
{
    struct consumer_rig *rig = *state;
    rig_alter(rig->file, "CREATE TRIGGER refuse BEFORE UPDATE ON ledger BEGIN"
                         " SELECT RAISE(ABORT, 'no room'); END");
    put_events(rig, 0, 1, (struct range){1, 3});
    put_flush(rig);
    consumer_begin(rig);
    wait_ready(rig, false);
    assert_int_equal(rig_total(rig->file).count, 0);
    rig_alter(rig->file, "DROP TRIGGER refuse");
    wait_for(rig, count_is, 3);
    wait_ready(rig, true);
    assert_int_equal(rig_total(rig->file).duplicates, 0);
}

// The offset does not move on before the dead letter is acknowledged.
static void a_dead_letter_that_kafka_refuses_holds_the_batch_back(void **state)
{
    struct consumer_rig *rig = *state;
    rd_kafka_resp_err_t refusals[1000]; // more than are tried before they are taken back
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        refusals[i] = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    put_nonsense(rig, 0); // first, so that no batch holds the event alone
    put_event(rig, 0, 1, 1);
    put_flush(rig);
    rd_kafka_mock_push_request_errors_array(rig->cluster, PRODUCE, COUNT_OF(refusals), refusals);
    consumer_begin(rig);
    wait_ready(rig, false);
    assert_int_equal(rig_total(rig->file).count, 0);
    rd_kafka_mock_clear_request_errors(rig->cluster, PRODUCE);
    wait_for(rig, dead_letters_are, 1);
    wait_for(rig, count_is, 1);
    wait_ready(rig, true);
}

static void a_dead_letter_too_large_goes_without_its_value(void **state)
{
    struct consumer_rig *rig = *state;
    put_nonsense(rig, 0);
    put_flush(rig);
    rd_kafka_mock_push_request_errors(rig->cluster, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    consumer_begin(rig);
    wait_for(rig, dead_letters_are, 1);
    rd_kafka_message_t *letter = dead_letter_read(rig, 0);
    assert_string_equal(letter->payload, "");
    assert_string_equal(letter->key, "some key");
    expect_header(letter, "mine", "kept");
    expect_header(letter, DEAD_LETTER_CUT, "value");
    dead_letter_free(letter);
}

// Whatever anybody put there, the partition goes on in the end.
static void a_dead_letter_too_large_without_its_value_goes_without_anything(void **state)
{
    struct consumer_rig *rig = *state;
    put_nonsense(rig, 0);
    put_flush(rig);
    rd_kafka_mock_push_request_errors(rig->cluster, PRODUCE, 2,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    consumer_begin(rig);
    wait_for(rig, dead_letters_are, 1);
    rd_kafka_message_t *letter = dead_letter_read(rig, 0);
    assert_string_equal(letter->payload, "");
    assert_string_equal(letter->key, "");
    expect_header(letter, "mine", "(none)");
    expect_header(letter, DEAD_LETTER_OFFSET, "0");
    expect_header(letter, DEAD_LETTER_CUT, "key, headers and value");
    dead_letter_free(letter);
}

static void a_dead_letter_too_large_for_our_own_limit_is_cut_too(void **state)
{
    struct consumer_rig *rig = *state;
    static char large[5000];
    memset(large, 'x', sizeof(large) - 1);
    rig->properties.items[rig->properties.count++] = "message.max.bytes=2000";
    put(rig, 0, "some key", large, NULL);
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, dead_letters_are, 1);
    rd_kafka_message_t *letter = dead_letter_read(rig, 0);
    assert_string_equal(letter->key, "some key");
    expect_header(letter, DEAD_LETTER_CUT, "value");
    dead_letter_free(letter);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, consumer_rig_set_up, consumer_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_topic_is_read_to_its_end_also_if_kafka_did_not_know_it_at_first),
        TEST(a_topic_made_anew_is_found_also_if_kafka_did_not_know_it_at_first),
        TEST(kafka_may_come_later),
        TEST(a_stop_does_not_wait_for_a_kafka_that_is_away),
        TEST(a_ledger_moved_by_another_owner_is_read_again),
        TEST(a_topic_made_anew_is_read_from_its_beginning),
        TEST(a_topic_made_anew_and_longer_is_read_from_its_beginning),
        TEST(a_ledger_that_cannot_write_is_not_ready_until_it_can),
        TEST(a_dead_letter_that_kafka_refuses_holds_the_batch_back),
        TEST(a_dead_letter_too_large_goes_without_its_value),
        TEST(a_dead_letter_too_large_without_its_value_goes_without_anything),
        TEST(a_dead_letter_too_large_for_our_own_limit_is_cut_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
