// SPDX-License-Identifier: Apache-2.0
#include "adder/writer.h"

#include "outbox_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX    100
#define ANSWER_MS   60000
#define WAIT_MAX_MS 200
#define QUEUE_MAX   (16 * OUTBOX_BATCH_MAX)

enum { OUTBOX };
static const char *const names[] = {"outbox"};

struct world {
    char *folder, *path;
    struct outbox *outbox;
    struct readiness *readiness;
    struct mailbox *replies;
    struct writer *writer;
    int commits;
    int commit_ms; // so much longer does each take
    struct writer_job jobs[JOBS_MAX];
};

static void on_committed(void *ctx)
{
    struct world *w = ctx;
    w->commits++;
    (void)poll(NULL, 0, w->commit_ms);
}

static bool waited_for(const struct writer_job *job)
{
    (void)job;
    return false;
}

static bool left(const struct writer_job *job)
{
    (void)job;
    return true;
}

static struct world *world_create(size_t queue_max, int64_t backlog_max)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->folder = scratch_create();
    w->path = xasprintf("%s/outbox.db", w->folder);
    const struct outbox_config outbox = {w->path, 1000, 1000};
    struct err err;
    EXPECT(outbox_open(&w->outbox, &outbox, &err), "%s", err.text);
    w->readiness = readiness_create(names, 1);
    w->replies = mailbox_create(SIZE_MAX);
    const struct writer_config config = {
        .queue_max = queue_max,
        .wait_max_ms = WAIT_MAX_MS,
        .backlog_max = backlog_max,
        .readiness = w->readiness,
        .readiness_index = OUTBOX,
        .on_committed = on_committed,
        .ctx = w,
    };
    w->writer = writer_create(w->outbox, &config);
    for (size_t i = 0; i < JOBS_MAX; i++)
        w->jobs[i] = (struct writer_job){
            .add = {.a = (int64_t)i, .b = 1, .sum = (int64_t)i + 1, .accepted_unix_us = 1},
            .deadline_mono_ns = INT64_MAX,
            .reply = w->replies,
            .abandoned = waited_for,
        };
    return w;
}

static void world_destroy(struct world *w)
{
    writer_destroy(w->writer);
    outbox_close(w->outbox);
    readiness_destroy(w->readiness);
    mailbox_destroy(w->replies);
    scratch_remove(w->folder);
    free(w->path);
    free(w);
}

static size_t submit_all(struct world *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!writer_submit(w->writer, &w->jobs[i]))
            return i;
    }
    return n;
}

static void await_answers(struct world *w, size_t n)
{
    const int64_t give_up = clock_mono_ns() + ANSWER_MS * NS_PER_MS;
    size_t answered = 0;
    while (answered < n) {
        EXPECT(clock_mono_ns() < give_up, "%zu of %zu jobs came back", answered, n);
        mailbox_wait(w->replies, ANSWER_MS);
        for (struct mailbox_item *at = mailbox_take(w->replies, SIZE_MAX); at; at = at->next)
            answered++;
    }
    assert_int_equal(answered, n);
}

static int64_t appended(struct world *w)
{
    struct outbox_stats stats;
    outbox_stats(w->outbox, &stats);
    return stats.appended;
}

static void what_has_queued_up_is_one_commit_in_order(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS_MAX, 0);
    assert_int_equal(submit_all(w, JOBS_MAX), JOBS_MAX);
    assert_false(readiness_get(w->readiness));
    writer_start(w->writer);
    await_answers(w, JOBS_MAX);
    assert_int_equal(w->commits, 1);
    assert_true(readiness_get(w->readiness));
    for (size_t i = 0; i < JOBS_MAX; i++) {
        assert_int_equal(w->jobs[i].result, WRITER_COMMITTED);
        assert_int_equal(w->jobs[i].add.outcome, ADD_APPENDED);
        assert_int_equal(w->jobs[i].add.sequence, i + 1);
    }
    writer_stop(w->writer);
    world_destroy(w);
}

static void an_add_for_which_nobody_waits_is_not_written(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS_MAX, 0);
    w->jobs[0].deadline_mono_ns = clock_mono_ns() - 1;
    w->jobs[1].abandoned = left;
    assert_int_equal(submit_all(w, 4), 4);
    writer_start(w->writer);
    await_answers(w, 4);
    assert_int_equal(w->jobs[0].result, WRITER_EXPIRED);
    assert_int_equal(w->jobs[1].result, WRITER_EXPIRED);
    assert_int_equal(w->jobs[2].add.sequence, 1);
    assert_int_equal(w->jobs[3].add.sequence, 2);
    assert_int_equal(appended(w), 2);
    writer_stop(w->writer);
    world_destroy(w);
}

// By then the first three had sequences, which others get now.
static void adds_of_a_transaction_that_failed_have_no_place(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS_MAX, 0);
    (void)ask_file(w->path, "CREATE TRIGGER fourth BEFORE INSERT ON outbox WHEN NEW.a = 3 "
                            "BEGIN SELECT RAISE(ABORT, 'a test made it fail'); END");
    assert_int_equal(submit_all(w, 5), 5);
    writer_start(w->writer);
    await_answers(w, 5);
    assert_int_equal(appended(w), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(w->jobs[i].result, WRITER_FAILED);
        EXPECT(w->jobs[i].add.sequence == 0, "add %zu is not written, but has sequence %" PRId64, i,
               w->jobs[i].add.sequence);
    }
    writer_stop(w->writer);
    world_destroy(w);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    struct world *w = world_create(3, 0);
    assert_int_equal(submit_all(w, 5), 3);
    writer_start(w->writer);
    await_answers(w, 3);
    assert_true(writer_submit(w->writer, &w->jobs[3]));
    await_answers(w, 1);
    writer_stop(w->writer);
    world_destroy(w);
}

static void commit_one(struct world *w)
{
    assert_int_equal(submit_all(w, 1), 1);
    await_answers(w, 1);
}

static void a_slow_disk_leaves_room_for_two_batches_and_a_fast_one_for_all(void **state)
{
    (void)state;
    struct world *w = world_create(QUEUE_MAX, 0);
    w->commit_ms = WAIT_MAX_MS;
    writer_start(w->writer);
    commit_one(w);
    assert_true(writer_queue_places(w->writer) > 2 * OUTBOX_BATCH_MAX); // once may be chance
    const int64_t give_up = clock_mono_ns() + ANSWER_MS * NS_PER_MS;
    while (writer_queue_places(w->writer) > 2 * OUTBOX_BATCH_MAX) {
        EXPECT(clock_mono_ns() < give_up, "%zu places", writer_queue_places(w->writer));
        commit_one(w);
    }
    w->commit_ms = 0;
    while (writer_queue_places(w->writer) < QUEUE_MAX) {
        EXPECT(clock_mono_ns() < give_up, "%zu places", writer_queue_places(w->writer));
        commit_one(w);
    }
    writer_stop(w->writer);
    world_destroy(w);
}

static void a_full_backlog_refuses_until_kafka_has_taken_rows(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS_MAX, 5);
    assert_int_equal(submit_all(w, 5), 5);
    writer_start(w->writer);
    await_answers(w, 5);
    assert_false(writer_submit(w->writer, &w->jobs[5]));
    outbox_published_set(w->outbox, 1);
    assert_true(writer_submit(w->writer, &w->jobs[5]));
    await_answers(w, 1);
    assert_false(writer_submit(w->writer, &w->jobs[6]));
    writer_stop(w->writer);
    world_destroy(w);
}

static void stop_answers_what_is_queued(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS_MAX, 0);
    assert_int_equal(submit_all(w, JOBS_MAX), JOBS_MAX);
    writer_start(w->writer);
    writer_stop(w->writer);
    await_answers(w, JOBS_MAX);
    assert_int_equal(appended(w), JOBS_MAX);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_queued_up_is_one_commit_in_order),
        cmocka_unit_test(an_add_for_which_nobody_waits_is_not_written),
        cmocka_unit_test(adds_of_a_transaction_that_failed_have_no_place),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_slow_disk_leaves_room_for_two_batches_and_a_fast_one_for_all),
        cmocka_unit_test(a_full_backlog_refuses_until_kafka_has_taken_rows),
        cmocka_unit_test(stop_answers_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
