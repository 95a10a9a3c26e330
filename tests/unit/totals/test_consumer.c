// SPDX-License-Identifier: Apache-2.0
// From a topic into the ledger, against librdkafka's mock broker.
#include "consumer_rig.h"

static void check_sum(struct consumer_rig *rig, int64_t sum)
{
    const struct ledger_total total = rig_total(rig->file);
    EXPECT(total.sum == sum, "sum %lld, want %lld", (long long)total.sum, (long long)sum);
}

static void events_are_counted_once_and_what_is_none_is_a_dead_letter(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 3});
    put_event(rig, 0, 1, 2); // again
    put_nonsense(rig, 0);
    put_events(rig, 0, 1, (struct range){4, 5});
    put_event(rig, 1, 2, 4); // 1 to 3 are missing
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 6);
    check_sum(rig, 1 + 2 + 3 + 4 + 5 + 4);
    const struct ledger_total total = rig_total(rig->file);
    assert_int_equal(total.duplicates, 1);
    assert_int_equal(total.dead_letters, 1);
    assert_int_equal(total.missing, 3);

    rd_kafka_message_t *letter = dead_letter_read(rig, 0);
    assert_string_equal(letter->key, "some key");
    assert_string_equal(letter->payload, "some value");
    expect_header(letter, "mine", "kept");
    expect_header(letter, DEAD_LETTER_REASON, "header ce_specversion is missing");
    expect_header(letter, DEAD_LETTER_TOPIC, TOPIC);
    expect_header(letter, DEAD_LETTER_PARTITION, "0");
    expect_header(letter, DEAD_LETTER_OFFSET, "4");
    expect_header(letter, DEAD_LETTER_CUT, "(none)");
    dead_letter_free(letter);

    struct consumer_partition *partitions;
    assert_int_equal(consumer_partitions(rig->consumer, &partitions), PARTITIONS);
    for (size_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(partitions[i].settled_offset, partitions[i].partition == 0 ? 7 : 1);
        assert_int_equal(partitions[i].end_offset, partitions[i].settled_offset);
    }
    free(partitions);
}

static void a_restart_goes_on_where_the_ledger_is(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 100});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 100);
    consumer_end(rig);
    rig_reopen(rig->file);
    put_events(rig, 0, 1, (struct range){101, 150});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 150);
    check_sum(rig, 150 * 151 / 2);
    assert_int_equal(rig_total(rig->file).duplicates, 0);
}

// More than librdkafka's queue holds, in many batches.
static void a_backlog_is_drained_to_the_last_event(void **state)
{
    struct consumer_rig *rig = *state;
    put_events(rig, 0, 1, (struct range){1, 12000});
    put_events(rig, 1, 2, (struct range){1, 7000});
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, count_is, 19000);
    check_sum(rig, 12000 * 12001 / 2 + 7000 * 7001 / 2);
    const struct ledger_total total = rig_total(rig->file);
    assert_int_equal(total.duplicates + total.missing + total.dead_letters, 0);
}

// Every second sequence: one hole more with each event, until there is no room for another.
static void an_event_that_would_break_the_limit_of_holes_is_a_dead_letter(void **state)
{
    struct consumer_rig *rig = *state;
    for (int64_t i = 0; i <= APPLY_RANGES_MAX + 1; i++)
        put_event(rig, 0, 1, 2 * i + 1);
    put_flush(rig);
    consumer_begin(rig);
    wait_for(rig, dead_letters_are, 1);
    assert_int_equal(rig_total(rig->file).count, APPLY_RANGES_MAX + 1);
    rd_kafka_message_t *letter = dead_letter_read(rig, 0);
    expect_header(letter, DEAD_LETTER_REASON, "refused: source 00000001-");
    expect_header(letter, "ce_type", EVENT_TYPE);
    dead_letter_free(letter);
}

static void a_wrong_property_is_a_usage_error_at_once(void **state)
{
    struct consumer_rig *rig = *state;
    static const char *const wrong[] = {"enable.auto.commit=true",
                                        "no.such.property=1",
                                        "partition.assignment.strategy=cooperative-sticky",
                                        "enable.idempotence=false",
                                        "acks=1",
                                        "max.in.flight=10"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct option_list properties = {.items = {wrong[i]}, .count = 1};
        const struct consumer_config config = {.kafka = {brokers_of(rig), &properties},
                                               .topic = {TOPIC, 1, 1},
                                               .dead_letter_topic = {DEAD_LETTERS, 1, 1},
                                               .group = "totals",
                                               .readiness = rig->readiness};
        struct err err = {.text = ""};
        struct consumer *none;
        EXPECT(!consumer_create(&none, &config, rig->file->ledger, &err), "%s", wrong[i]);
        EXPECT(err.code == ERR_USAGE, "%s: %s", wrong[i], err.text);
    }
}

static void dead_letters_must_not_come_back_as_events(void **state)
{
    struct consumer_rig *rig = *state;
    const struct consumer_config config = {.kafka = {brokers_of(rig), NULL},
                                           .topic = {TOPIC, 1, 1},
                                           .dead_letter_topic = {TOPIC, 1, 1},
                                           .group = "totals",
                                           .readiness = rig->readiness};
    struct err err = {.text = ""};
    struct consumer *none;
    assert_false(consumer_create(&none, &config, rig->file->ledger, &err));
    assert_int_equal(err.code, ERR_USAGE);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, consumer_rig_set_up, consumer_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(events_are_counted_once_and_what_is_none_is_a_dead_letter),
        TEST(a_restart_goes_on_where_the_ledger_is),
        TEST(a_backlog_is_drained_to_the_last_event),
        TEST(an_event_that_would_break_the_limit_of_holes_is_a_dead_letter),
        TEST(a_wrong_property_is_a_usage_error_at_once),
        TEST(dead_letters_must_not_come_back_as_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
