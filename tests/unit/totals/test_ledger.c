// SPDX-License-Identifier: Apache-2.0
#include "totals/ledger.h"

#include "ledger_rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static void a_new_ledger_has_counted_nothing(void **state)
{
    struct rig *rig = *state;
    const struct ledger_total total = rig_total(rig);
    struct uuid id;
    struct ledger_source *none;
    struct ledger_partition *no_partitions;
    assert_true(uuid_parse(total.ledger.text, UUID_LENGTH, &id));
    assert_int_equal(total.ledger.text[14], '4'); // a random one
    assert_int_equal(total.version, 0);
    assert_int_equal(total.count + total.sources + total.missing + total.duplicates, 0);
    assert_true(total.sum == 0);
    assert_int_equal(rig_offset(rig, 0), -1);
    assert_int_equal(ledger_sources(rig->ledger, &none), 0);
    assert_int_equal(ledger_partitions(rig->ledger, &no_partitions), 0);
    assert_false(ledger_source(rig->ledger, &id, &none));
}

static void a_batch_of_several_partitions_is_counted_and_survives_a_restart(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry batch[] = {
        rig_event(3, 10, 1, 1, 5), rig_event(0, 7, 2, 1, -2),
        rig_event(3, 11, 1, 2, 7), rig_event(3, 14, 1, 2, 7), // twice
        rig_dead_letter(0, 8),     rig_event(0, 9, 2, 4, 1),  // skips 2 and 3
    };
    static const enum apply_verdict verdicts[] = {APPLY_NEW,       APPLY_NEW, APPLY_NEW,
                                                  APPLY_DUPLICATE, APPLY_NEW, APPLY_NEW};
    rig_commit(rig, batch, COUNT_OF(batch));
    for (size_t i = 0; i < COUNT_OF(batch); i++)
        EXPECT(batch[i].dead_letter || batch[i].verdict == verdicts[i], "entry %zu", i);
    const struct ledger_total total = rig_total(rig);
    assert_int_equal(total.version, 1);
    assert_int_equal(total.count, 4);
    assert_true(total.sum == 11);
    assert_int_equal(total.sources, 2);
    assert_int_equal(total.missing, 2);
    assert_int_equal(total.duplicates, 1);
    assert_int_equal(total.dead_letters, 1);
    char *before = rig_describe(rig);
    rig_reopen(rig);
    rig_check_same(rig, before);
    free(before);
    assert_int_equal(rig_offset(rig, 3), 15);
    assert_int_equal(rig_offset(rig, 0), 10);
    assert_int_equal(rig_offset(rig, 1), -1);
}

static void one_source_tells_where_it_stands(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry batch[] = {rig_event(2, 0, 1, 1, 5), rig_event(2, 1, 1, 4, 6)};
    rig_commit(rig, batch, COUNT_OF(batch));
    const struct uuid id = rig_source(1);
    struct ledger_source *one;
    assert_true(ledger_source(rig->ledger, &id, &one));
    assert_string_equal(one->source.text, id.text);
    assert_int_equal(one->partition, 2);
    assert_int_equal(one->highest, 4);
    assert_int_equal(one->count, 2);
    assert_true(one->sum == 11);
    assert_int_equal(one->missing_events, 2);
    assert_int_equal(one->missing_count, 1);
    assert_int_equal(one->missing[0].first, 2);
    assert_int_equal(one->missing[0].last, 3);
    assert_int_equal(one->accepted_unix_us, 4000);
    assert_true(one->applied_unix_us > one->accepted_unix_us);
    ledger_sources_free(one, 1);
}

static void what_is_staged_is_not_seen_and_a_rollback_leaves_no_trace(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry first[] = {rig_event(0, 0, 1, 1, 5), rig_event(0, 1, 1, 9, 5)};
    rig_commit(rig, first, COUNT_OF(first));
    char *before = rig_describe(rig);
    struct ledger_entry batch[] = {
        rig_event(0, 2, 1, 5, 5),  rig_event(0, 3, 1, 12, 5), rig_event(0, 4, 1, 1, 5),
        rig_event(0, 5, 2, 1, 99), rig_dead_letter(4, 0),
    };
    for (int again = 0; again < 3; again++) {
        rig_stage(rig, batch, COUNT_OF(batch));
        rig_check_same(rig, before);
        assert_int_equal(batch[2].verdict, APPLY_DUPLICATE);
        assert_int_equal(batch[3].verdict, APPLY_NEW);
        ledger_rollback(rig->ledger);
        rig_check_same(rig, before);
    }
    assert_int_equal(rig_offset(rig, 0), 2);
    assert_int_equal(rig_offset(rig, 4), -1);
    rig_stage(rig, batch, COUNT_OF(batch));
    rig_reopen(rig); // as if it had died
    rig_check_same(rig, before);
    rig_commit(rig, batch, COUNT_OF(batch));
    assert_int_equal(rig_total(rig).count, 5);
    assert_int_equal(rig_total(rig).missing, 6 + 2);
    free(before);
}

static void missing_events_are_remembered_over_restarts_and_close_when_they_arrive(void **state)
{
    struct rig *rig = *state;
    static const struct {
        int64_t sequence, missing;
        size_t ranges;
    } table[] = {{10, 9, 1},  {20, 18, 2}, {5, 17, 3}, {1, 16, 3},  {4, 15, 3},
                 {15, 14, 4}, {2, 13, 4},  {3, 12, 3}, {30, 21, 4}, {10, 21, 4}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        rig_commit_one(rig, rig_event(0, (int64_t)i, 1, table[i].sequence, 1));
        rig_reopen(rig);
        struct ledger_source *list;
        assert_int_equal(ledger_sources(rig->ledger, &list), 1);
        EXPECT(list->missing_events == table[i].missing && list->missing_count == table[i].ranges,
               "row %zu: %lld missing in %zu ranges", i, (long long)list->missing_events,
               list->missing_count);
        ledger_sources_free(list, 1);
    }
    for (int64_t sequence = 1; sequence <= 30; sequence++)
        rig_commit_one(rig, rig_event(0, 100 + sequence, 1, sequence, 1));
    rig_reopen(rig);
    assert_int_equal(rig_total(rig).missing, 0);
    assert_int_equal(rig_total(rig).count, 30);
    assert_int_equal(rig_total(rig).duplicates, 1 + 9);
}

static void each_event_says_which_range_it_opened_or_closed(void **state)
{
    struct rig *rig = *state;
    static const struct {
        int64_t sequence, skipped;
        bool closed;
    } table[] = {
        {1, 0, false}, {2, 0, false}, {2, 0, false}, {6, 3, false}, {4, 0, false},
        {3, 0, true},  {9, 2, false}, {5, 0, true},  {7, 0, false}, {8, 0, true},
    };
    struct ledger_entry entries[COUNT_OF(table)];
    for (size_t i = 0; i < COUNT_OF(table); i++)
        entries[i] = rig_event(0, (int64_t)i, 1, table[i].sequence, 1);
    rig_commit(rig, entries, COUNT_OF(table));
    for (size_t i = 0; i < COUNT_OF(table); i++)
        EXPECT(entries[i].skipped == table[i].skipped && entries[i].closed == table[i].closed,
               "sequence %lld: skipped %lld, closed %d", (long long)table[i].sequence,
               (long long)entries[i].skipped, entries[i].closed);
}

static void sums_go_beyond_64_bits(void **state)
{
    struct rig *rig = *state;
    for (int64_t i = 1; i <= 3; i++) {
        rig_commit_one(rig, rig_event(0, i, 1, i, INT64_MAX));
        rig_commit_one(rig, rig_event(1, i, 2, i, INT64_MIN));
    }
    rig_commit_one(rig, rig_event(0, 9, 3, 1, INT64_MAX));
    rig_reopen(rig);
    struct ledger_source *list;
    assert_int_equal(ledger_sources(rig->ledger, &list), 3);
    assert_true(list[0].sum == (__int128)3 * INT64_MAX);
    assert_true(list[1].sum == (__int128)3 * INT64_MIN);
    ledger_sources_free(list, 3);
    assert_true(rig_total(rig).sum == (__int128)INT64_MAX - 3);
}

static void an_event_that_opens_one_hole_too_many_is_a_dead_letter(void **state)
{
    struct rig *rig = *state;
    static struct ledger_entry batch[APPLY_RANGES_MAX + 1];
    for (int i = 0; i <= APPLY_RANGES_MAX; i++)
        batch[i] = rig_event(0, i, 1, 2 * i + 2, 1);
    rig_commit(rig, batch, COUNT_OF(batch));
    assert_int_equal(batch[APPLY_RANGES_MAX - 1].verdict, APPLY_NEW);
    assert_int_equal(batch[APPLY_RANGES_MAX].verdict, APPLY_REFUSED);
    rig_reopen(rig);
    const struct ledger_total total = rig_total(rig);
    assert_int_equal(total.count, APPLY_RANGES_MAX);
    assert_int_equal(total.missing, APPLY_RANGES_MAX);
    assert_int_equal(total.dead_letters, 1);
    assert_int_equal(rig_offset(rig, 0), APPLY_RANGES_MAX + 1);
}

static void an_offset_may_go_down_and_nothing_counts_twice(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry batch[] = {rig_event(0, 500, 1, 1, 5), rig_event(0, 501, 1, 2, 5)};
    rig_commit(rig, batch, COUNT_OF(batch));
    for (size_t i = 0; i < COUNT_OF(batch); i++)
        batch[i].offset = (int64_t)i; // the topic was made anew and filled again
    rig_commit(rig, batch, COUNT_OF(batch));
    assert_int_equal(rig_offset(rig, 0), 2);
    assert_int_equal(rig_total(rig).count, 2);
    assert_int_equal(rig_total(rig).duplicates, 2);
}

static void each_commit_is_announced_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    int changes = 0;
    ledger_on_change(rig->ledger, rig_count_changes, &changes);
    struct ledger_entry entry = rig_event(0, 0, 1, 1, 5);
    rig_stage(rig, &entry, 1);
    ledger_rollback(rig->ledger);
    rig_offset(rig, 0);
    assert_int_equal(changes, 0);
    rig_commit(rig, &entry, 1);
    assert_int_equal(changes, 1);
    assert_int_equal(rig_total(rig).version, 1);
}

static void a_second_owner_is_refused(void **state)
{
    struct rig *rig = *state;
    struct ledger *second;
    struct err err = {.text = ""};
    assert_false(ledger_open(&second, rig->path, &err));
    assert_int_equal(err.code, ERR_BUSY);
}

// --- readers ---

#define READERS 3
#define COMMITS 300

struct readers {
    struct ledger *ledger;
    _Atomic bool done;
    _Atomic int64_t reads, wrong;
};

static bool sources_add_up(struct ledger *ledger)
{
    struct ledger_source *list;
    const size_t n = ledger_sources(ledger, &list);
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good = good && list[i].count == list[i].highest - list[i].missing_events &&
               list[i].sum == 5 * list[i].count && list[i].count > 0;
    ledger_sources_free(list, n);
    return good;
}

static void *read_until_done(void *ctx)
{
    struct readers *r = ctx;
    struct ledger_total last = {0}, total;
    do {
        ledger_total(r->ledger, &total);
        const bool good = total.sum == 5 * total.count && total.version >= last.version &&
                          total.count >= last.count && sources_add_up(r->ledger);
        struct ledger_partition *partitions;
        ledger_partitions(r->ledger, &partitions);
        free(partitions);
        r->wrong += good ? 0 : 1;
        r->reads++;
        last = total;
    } while (!r->done);
    return NULL;
}

// Sources come and go by rollback, holes open and close.
static void commit_and_roll_back(struct rig *rig)
{
    for (int64_t i = 0; i < COMMITS; i++) {
        const int source = (int)(i % 40);
        const int64_t sequence = 3 * (i / 40) + 1;
        struct ledger_entry entry = rig_event(source % 4, i, source, sequence + 1, 5);
        rig_stage(rig, &entry, 1);
        ledger_rollback(rig->ledger);
        rig_commit(rig, &entry, 1);
        struct ledger_entry late = rig_event(source % 4, i + 1, source, sequence, 5);
        rig_commit(rig, &late, 1);
    }
}

static void readers_always_see_a_whole_commit(void **state)
{
    struct rig *rig = *state;
    struct readers readers = {.ledger = rig->ledger};
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_done, &readers), 0);
    commit_and_roll_back(rig);
    readers.done = true;
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(readers.wrong, 0);
    assert_true(readers.reads >= READERS);
    assert_int_equal(rig_total(rig).count, 2 * COMMITS);
}

static void a_reader_does_not_wait_for_an_open_transaction(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry entry = rig_event(0, 0, 1, 1, 5);
    rig_stage(rig, &entry, 1);
    struct readers readers = {.ledger = rig->ledger, .done = true}; // one read
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_until_done, &readers), 0);
    pthread_join(thread, NULL);
    assert_int_equal(readers.reads, 1);
    assert_int_equal(rig_total(rig).count, 0);
    ledger_rollback(rig->ledger);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_ledger_has_counted_nothing),
        TEST(a_batch_of_several_partitions_is_counted_and_survives_a_restart),
        TEST(one_source_tells_where_it_stands),
        TEST(what_is_staged_is_not_seen_and_a_rollback_leaves_no_trace),
        TEST(missing_events_are_remembered_over_restarts_and_close_when_they_arrive),
        TEST(each_event_says_which_range_it_opened_or_closed),
        TEST(sums_go_beyond_64_bits),
        TEST(an_event_that_opens_one_hole_too_many_is_a_dead_letter),
        TEST(an_offset_may_go_down_and_nothing_counts_twice),
        TEST(each_commit_is_announced_and_nothing_else),
        TEST(a_second_owner_is_refused),
        TEST(readers_always_see_a_whole_commit),
        TEST(a_reader_does_not_wait_for_an_open_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
