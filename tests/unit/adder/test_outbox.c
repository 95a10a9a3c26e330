// SPDX-License-Identifier: Apache-2.0
#include "outbox_fixture.h"

static void a_new_outbox_is_empty_and_has_a_source_of_its_own(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const struct outbox_stats stats = stats_of(f->outbox);
    struct uuid parsed;
    assert_true(uuid_parse(stats.source.text, strlen(stats.source.text), &parsed));
    assert_int_equal(stats.appended, 0);
    assert_int_equal(stats.published, 0);
    assert_int_equal(stats.partition, -1);
    assert_int_equal(stats.oldest_unix_us, 0);
    assert_true(stats.sum == 0);
    expect_promises(f);
}

static void sequences_go_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const struct uuid source = stats_of(f->outbox).source;
    static const size_t batches[] = {1, 3, OUTBOX_BATCH_MAX, 1};
    int64_t appended = 0;
    for (size_t i = 0; i < COUNT_OF(batches); i++) {
        append_rows(f->outbox, batches[i], clock_unix_us());
        appended += (int64_t)batches[i];
        expect_promises(f);
        fixture_restart(f);
        const struct outbox_stats stats = stats_of(f->outbox);
        assert_int_equal(stats.appended, appended);
        assert_true(uuid_equal(&stats.source, &source));
        expect_promises(f);
    }
}

static void the_sum_is_wider_than_64_bits(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct err err = {.text = ""};
    struct add adds[] = {add_of(' ', INT64_MAX, 0), add_of(' ', INT64_MAX, 0),
                         add_of(' ', INT64_MAX, 0)};
    assert_true(append(f->outbox, adds, 3, &err));
    assert_true(stats_of(f->outbox).sum == (__int128)INT64_MAX * 3);
    fixture_restart(f);
    expect_promises(f);
    struct add negative[] = {add_of(' ', INT64_MIN, 0), add_of(' ', -1, INT64_MIN + 1),
                             add_of(' ', INT64_MIN, 0), add_of(' ', INT64_MIN, 0)};
    assert_true(append(f->outbox, negative, 4, &err));
    assert_true(stats_of(f->outbox).sum == (__int128)INT64_MAX * 3 + (__int128)INT64_MIN * 4);
    fixture_restart(f);
    expect_promises(f);
}

static void a_sum_that_would_wrap_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    append_rows(f->outbox, 1, 1);
    fixture_close(f);
    ask_file(f->path, "UPDATE source SET sum = x'7fffffffffffffffffffffffffffffff'");
    fixture_open(f);
    struct err err;
    struct add add = add_of(' ', 1, 0);
    assert_false(append(f->outbox, &add, 1, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(stats_of(f->outbox).appended, 1);
}

// AIP-155: while the row is kept, the same id gets the first answer and writes nothing.
static void a_request_id_is_appended_once(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int batch; // 3 comes after a restart
        char id;
        int64_t a, b;
        enum add_outcome outcome;
        int64_t sequence;
    } table[] = {
        {1, 'A', 1, 2, ADD_APPENDED, 1}, {1, ' ', 5, 5, ADD_APPENDED, 2},
        {1, 'A', 1, 2, ADD_REPEATED, 1}, {1, 'A', 2, 1, ADD_CONFLICT, 0},
        {1, 'B', 7, 7, ADD_APPENDED, 3}, {1, ' ', 5, 5, ADD_APPENDED, 4},
        {2, 'B', 7, 7, ADD_REPEATED, 3}, {2, 'A', 1, 3, ADD_CONFLICT, 0},
        {2, 'C', 0, 0, ADD_APPENDED, 5}, {2, 'C', 0, 0, ADD_REPEATED, 5},
        {3, 'C', 0, 0, ADD_REPEATED, 5}, {3, 'B', 7, 7, ADD_REPEATED, 3},
        {4, 'A', 1, 2, ADD_REPEATED, 1}, {4, 'D', 9, 9, ADD_APPENDED, 6},
    };
    fixture_open(f);
    for (size_t first = 0, end; first < COUNT_OF(table); first = end) {
        struct add adds[COUNT_OF(table)];
        for (end = first; end < COUNT_OF(table) && table[end].batch == table[first].batch; end++)
            adds[end - first] = add_of(table[end].id, table[end].a, table[end].b);
        if (table[first].batch == 3)
            fixture_restart(f);
        struct err err = {.text = ""};
        EXPECT(append(f->outbox, adds, end - first, &err), "%s", err.text);
        for (size_t i = first; i < end; i++) {
            const struct add *add = &adds[i - first];
            EXPECT(add->outcome == table[i].outcome, "row %zu: outcome %d", i, add->outcome);
            EXPECT(add->outcome == ADD_CONFLICT || add->sequence == table[i].sequence,
                   "row %zu: sequence %" PRId64, i, add->sequence);
        }
        expect_promises(f);
    }
}

// --- retention ---
#define DAY_US (INT64_C(86400) * 1000000)

static void published_rows_beyond_retention_are_removed_and_no_others(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t rows, days; // of retention
        int old, young;     // appended: accepted 10 days ago, and now
        int64_t published;  // up to here
        int64_t first;      // the oldest row kept
    } table[] = {
        {KEEP_ALL, 365000, 6, 4, 10, 1}, // nothing is due
        {4, 365000, 6, 4, 10, 7},        // by rows
        {4, 365000, 6, 4, 5, 2},         // rows not published do not count
        {0, 365000, 6, 4, 5, 6},         //
        {0, 365000, 6, 4, 10, 11},       // all of them
        {KEEP_ALL, 5, 6, 4, 10, 7},      // by age
        {KEEP_ALL, 5, 6, 4, 3, 4},       // old, but not published
        {KEEP_ALL, 5, 10, 0, 0, 1},      //
        {2, 5, 6, 4, 10, 9},             // whichever comes first
        {8, 5, 6, 4, 10, 7},             //
        {KEEP_ALL, 0, 6, 4, 10, 11},     //
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        f->config = (struct outbox_config){f->path, table[i].rows, table[i].days * 86400};
        fixture_open(f);
        append_rows(f->outbox, (size_t)table[i].old, clock_unix_us() - 10 * DAY_US);
        append_rows(f->outbox, (size_t)table[i].young, clock_unix_us());
        outbox_published_set(f->outbox, table[i].published);
        tend_all(f->outbox);
        tend_all(f->outbox); // nothing came in between: all that is due is done
        const int64_t kept = ask_file(f->path, "SELECT count(*) FROM outbox");
        const int64_t first = ask_file(f->path, "SELECT min(sequence) FROM outbox");
        EXPECT(kept == 11 - table[i].first, "row %zu: %" PRId64 " are kept", i, kept);
        EXPECT(kept == 0 || first == table[i].first, "row %zu: first %" PRId64, i, first);
        fixture_restart(f); // still an outbox, and it goes on from there
        append_rows(f->outbox, 1, clock_unix_us());
        assert_int_equal(stats_of(f->outbox).appended, 11);
        assert_true(stats_of(f->outbox).sum == 33);
        fixture_close(f);
        unlink(f->path);
    }
}

static void removing_goes_in_bounded_steps(void **state)
{
    struct fixture *f = *state;
    f->config.retention_rows = 100;
    fixture_open(f);
    append_rows(f->outbox, 20000, clock_unix_us());
    fixture_close(f);
    fixture_open(f);
    outbox_published_set(f->outbox, 20000);
    int steps = 0;
    bool more = true;
    struct err err = {.text = ""};
    for (int64_t kept = 20000; more; steps++) {
        EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text);
        const int64_t left = ask_file(f->path, "SELECT count(*) FROM outbox");
        assert_in_range(kept - left, 1, 4096);
        kept = left;
    }
    assert_int_equal(steps, 5);
    assert_int_equal(ask_file(f->path, "SELECT count(*) FROM outbox"), 100);
}

static void a_removed_request_id_is_new_again(void **state)
{
    struct fixture *f = *state;
    f->config.retention_rows = 1;
    fixture_open(f);
    struct err err = {.text = ""};
    struct add adds[] = {add_of('A', 1, 1), add_of('B', 2, 2)};
    assert_true(append(f->outbox, adds, 2, &err));
    outbox_published_set(f->outbox, 2);
    tend_all(f->outbox);
    tend_all(f->outbox);
    struct add again[] = {add_of('A', 3, 3), add_of('B', 2, 2)};
    assert_true(append(f->outbox, again, 2, &err));
    assert_int_equal(again[0].outcome, ADD_APPENDED);
    assert_int_equal(again[0].sequence, 3);
    assert_int_equal(again[1].outcome, ADD_REPEATED);
}

// --- published, partition, replay ---
static void published_becomes_durable_with_the_next_batch_or_tend_or_close(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    append_rows(f->outbox, 5, clock_unix_us());
    tend_all(f->outbox);
    outbox_published_set(f->outbox, 2);
    assert_int_equal(stats_of(f->outbox).published, 2);
    assert_int_equal(ask_file(f->path, "SELECT published FROM source"), 0);
    append_rows(f->outbox, 1, clock_unix_us());
    assert_int_equal(ask_file(f->path, "SELECT published FROM source"), 2);
    tend_all(f->outbox);
    outbox_published_set(f->outbox, 4);
    tend_all(f->outbox);
    assert_int_equal(ask_file(f->path, "SELECT published FROM source"), 4);
    append_rows(f->outbox, 1, clock_unix_us());
    outbox_published_set(f->outbox, 7);
    fixture_restart(f);
    assert_int_equal(stats_of(f->outbox).published, 7);
}

static void a_partition_is_chosen_once_for_ever(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct err err = {.text = ""};
    append_rows(f->outbox, 2, clock_unix_us());
    EXPECT(outbox_partition_set(f->outbox, 3, &err), "%s", err.text);
    assert_int_equal(stats_of(f->outbox).partition, 3);
    assert_int_equal(ask_file(f->path, "SELECT partition FROM source"), 3);
    assert_true(outbox_partition_set(f->outbox, 3, &err));
    assert_false(outbox_partition_set(f->outbox, 4, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    fixture_restart(f);
    assert_int_equal(stats_of(f->outbox).partition, 3);
    expect_promises(f);
}

// Rows 4..10 are kept, 8 are published.
static void a_replay_goes_back_to_a_row_that_is_kept(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t from, published; // -1: ERR_NOT_FOUND
        const char *words;
    } table[] = {
        {4, 3, ""},
        {8, 7, ""},
        {9, 8, ""},
        {10, 8, ""}, // row 9 is not published yet: it may not be skipped
        {3, -1, "row 3 is not there: the oldest kept is 4"},
        {0, -1, "the oldest kept is 4"},
        {11, -1, "the newest 10"},
        {INT64_MIN, -1, "the oldest kept is 4"},
    };
    f->config.retention_rows = 5;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        fixture_open(f);
        append_rows(f->outbox, 10, clock_unix_us());
        outbox_published_set(f->outbox, 8);
        tend_all(f->outbox);
        tend_all(f->outbox);
        struct err err = {.text = ""};
        const bool ok = outbox_rewind(f->outbox, table[i].from, &err);
        EXPECT(ok == (table[i].published >= 0), "row %zu: %s", i, err.text);
        EXPECT(ok || err.code == ERR_NOT_FOUND, "row %zu: %s", i, err.text);
        EXPECT(strstr(err.text, table[i].words) != NULL, "row %zu: %s", i, err.text);
        const int64_t want = ok ? table[i].published : 8;
        assert_int_equal(stats_of(f->outbox).published, want);
        fixture_restart(f);
        assert_int_equal(stats_of(f->outbox).published, want);
        fixture_close(f);
        unlink(f->path);
    }
}

static void nothing_can_be_replayed_when_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct err err;
    fixture_open(f);
    assert_false(outbox_rewind(f->outbox, 1, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    EXPECT(strstr(err.text, "none is kept") != NULL, "%s", err.text);
}

// --- reading ---
static void events_are_read_as_they_were_added(void **state)
{
    static const char traceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct fixture *f = *state;
    fixture_open(f);
    struct add adds[] = {add_of('A', INT64_MAX, INT64_MIN), add_of(' ', -5, 3)};
    memcpy(adds[1].context.traceparent, traceparent, sizeof(traceparent));
    adds[1].accepted_unix_us = 1234567890123456;
    struct err err = {.text = ""};
    assert_true(append(f->outbox, adds, 2, &err));
    struct event events[3];
    size_t n;
    assert_true(outbox_read(f->reader, 0, events, 3, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(events[0].sum, -1);
    assert_string_equal(events[0].context.traceparent, "");
    assert_string_equal(events[0].source.text, stats_of(f->outbox).source.text);
    assert_int_equal(events[1].a, -5);
    assert_int_equal(events[1].b, 3);
    assert_int_equal(events[1].sum, -2);
    assert_int_equal(events[1].accepted_unix_us, 1234567890123456);
    assert_string_equal(events[1].context.traceparent, traceparent);
}

static void reading_gives_at_most_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t after;
        size_t max, n;
    } table[] = {{0, 4, 4}, {0, 100, 10}, {4, 4, 4}, {8, 4, 2}, {10, 4, 0}, {3, 0, 0}};
    fixture_open(f);
    append_rows(f->outbox, 10, clock_unix_us());
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct event events[100];
        struct err err = {.text = ""};
        size_t n = 99;
        EXPECT(outbox_read(f->reader, table[i].after, events, table[i].max, &n, &err), "%s",
               err.text);
        EXPECT(n == table[i].n, "row %zu: %zu rows", i, n);
        EXPECT(n == 0 || events[0].sequence == table[i].after + 1, "row %zu", i);
    }
}

static void a_hole_is_found_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql, *words;
    } table[] = {
        {"DELETE FROM outbox WHERE sequence = 1", "row 1 is missing"},
        {"DELETE FROM outbox WHERE sequence = 5", "row 5 is missing"},
        {"DELETE FROM outbox WHERE sequence = 10", "row 10 is missing"},
        {"DELETE FROM outbox", "row 1 is missing"},
        {"UPDATE outbox SET a = 9223372036854775807 WHERE sequence = 3", "row 3 is damaged"},
        {"UPDATE outbox SET accepted_unix_us = -1 WHERE sequence = 1", "row 1 is damaged"},
        {"UPDATE outbox SET accepted_unix_us = 253402300800000000 WHERE sequence = 1",
         "row 1 is damaged"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        fixture_open(f);
        append_rows(f->outbox, 10, clock_unix_us());
        ask_file(f->path, table[i].sql);
        struct event events[10];
        struct err err = {.text = ""};
        size_t n;
        EXPECT(!outbox_read(f->reader, 0, events, 10, &n, &err), "row %zu was read", i);
        assert_int_equal(err.code, ERR_CORRUPT);
        EXPECT(strstr(err.text, table[i].words) && strstr(err.text, f->path), "%s", err.text);
        tend_all(f->outbox); // reads the time of the oldest row
        assert_true(clock_is_rfc3339(stats_of(f->outbox).oldest_unix_us));
        fixture_close(f);
        unlink(f->path);
    }
}

static void the_age_is_that_of_the_oldest_row_not_published(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    append_rows(f->outbox, 1, 1000);
    append_rows(f->outbox, 1, 2000);
    assert_int_equal(stats_of(f->outbox).oldest_unix_us, 1000);
    outbox_published_set(f->outbox, 1);
    tend_all(f->outbox);
    assert_int_equal(stats_of(f->outbox).oldest_unix_us, 2000);
    fixture_restart(f);
    assert_int_equal(stats_of(f->outbox).oldest_unix_us, 2000);
    outbox_published_set(f->outbox, 2);
    assert_int_equal(stats_of(f->outbox).oldest_unix_us, 0);
    append_rows(f->outbox, 1, 3000);
    assert_int_equal(stats_of(f->outbox).oldest_unix_us, 3000);
    struct err err = {.text = ""};
    assert_true(outbox_rewind(f->outbox, 1, &err));
    assert_int_equal(stats_of(f->outbox).oldest_unix_us, 1000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_new_outbox_is_empty_and_has_a_source_of_its_own),
        CASE(sequences_go_on_after_a_restart),
        CASE(the_sum_is_wider_than_64_bits),
        CASE(a_sum_that_would_wrap_is_refused),
        CASE(a_request_id_is_appended_once),
        CASE(published_rows_beyond_retention_are_removed_and_no_others),
        CASE(removing_goes_in_bounded_steps),
        CASE(a_removed_request_id_is_new_again),
        CASE(published_becomes_durable_with_the_next_batch_or_tend_or_close),
        CASE(a_partition_is_chosen_once_for_ever),
        CASE(a_replay_goes_back_to_a_row_that_is_kept),
        CASE(nothing_can_be_replayed_when_nothing_is_kept),
        CASE(events_are_read_as_they_were_added),
        CASE(reading_gives_at_most_what_was_asked_for),
        CASE(a_hole_is_found_wherever_it_is),
        CASE(the_age_is_that_of_the_oldest_row_not_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
