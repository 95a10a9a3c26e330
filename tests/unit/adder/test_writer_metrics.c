// SPDX-License-Identifier: Apache-2.0
// What the writer counts, of whole batches through a real outbox and of what is turned away.
#include "adder/writer.h"

#include "base/clock.h"

#include "metric_value.h"
#include "scratch.h"

#include <string.h>

#define JOBS      10
#define ANSWER_MS 10000
#define ID        "11111111-2222-4333-8444-555555555555"

#define APPENDED         "abacus_adds_total{outcome=\"appended\"}"
#define REPEATED         "abacus_adds_total{outcome=\"repeated\"}"
#define CONFLICT         "abacus_adds_total{outcome=\"conflict\"}"
#define QUEUE_FULL       "abacus_writer_refused_total{reason=\"queue_full\"}"
#define BACKLOG_FULL     "abacus_writer_refused_total{reason=\"backlog_full\"}"
#define EXPIRED          "abacus_writer_refused_total{reason=\"expired\"}"
#define BATCHES          "abacus_writer_batch_adds_count"
#define BATCHED          "abacus_writer_batch_adds_sum"
#define ACCEPT_TO_COMMIT "abacus_stage_latency_seconds_count{stage=\"accept_to_commit\"}"
#define COMMIT_TO_ACK    "abacus_stage_latency_seconds_count{stage=\"commit_to_ack\"}"
#define INSERTS                                                                                \
    "db_client_operation_duration_seconds_count{db_system_name=\"sqlite\",db_collection_name=" \
    "\"outbox\",db_operation_name=\"INSERT\"}"

static const char *const counted[] = {
    APPENDED, REPEATED, CONFLICT,         QUEUE_FULL,    BACKLOG_FULL, EXPIRED,
    BATCHES,  BATCHED,  ACCEPT_TO_COMMIT, COMMIT_TO_ACK, INSERTS,
};

static const char *const names[] = {"outbox"};

struct world {
    char *folder, *path;
    struct outbox *outbox;
    struct readiness *readiness;
    struct mailbox *replies;
    struct writer *writer;
    double before[COUNT_OF(counted)];
    struct writer_job jobs[JOBS];
};

static void nobody(void *ctx)
{
    (void)ctx;
}

static bool waited_for(const struct writer_job *job)
{
    (void)job;
    return false;
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
        .backlog_max = backlog_max,
        .readiness = w->readiness,
        .on_committed = nobody,
    };
    w->writer = writer_create(w->outbox, &config);
    for (size_t i = 0; i < JOBS; i++)
        w->jobs[i] = (struct writer_job){
            .add = {.a = 1, .b = 2, .sum = 3, .accepted_unix_us = clock_unix_us()},
            .deadline_mono_ns = INT64_MAX,
            .reply = w->replies,
            .abandoned = waited_for,
        };
    for (size_t i = 0; i < COUNT_OF(counted); i++)
        w->before[i] = metric_value(counted[i]);
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

struct grown {
    const char *series;
    double by;
};

// What is not in the list has not grown.
static void expect_grown(const struct world *w, const struct grown *grown, size_t n)
{
    for (size_t i = 0; i < COUNT_OF(counted); i++) {
        double want = 0;
        for (size_t j = 0; j < n; j++)
            want += strcmp(grown[j].series, counted[i]) == 0 ? grown[j].by : 0;
        const double got = metric_value(counted[i]) - w->before[i];
        EXPECT(got == want, "%s grew by %g, want %g", counted[i], got, want);
    }
}
#define EXPECT_GROWN(w, ...)                               \
    expect_grown((w), (const struct grown[]){__VA_ARGS__}, \
                 sizeof((const struct grown[]){__VA_ARGS__}) / sizeof(struct grown))

static size_t submit(struct world *w, size_t first, size_t n)
{
    size_t taken = 0;
    for (size_t i = first; i < first + n; i++)
        taken += writer_submit(w->writer, &w->jobs[i]);
    return taken;
}

static void adds_are_counted_by_what_became_of_them(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS, 0);
    for (size_t i = 7; i < JOBS; i++)
        memcpy(w->jobs[i].add.request_id.text, ID, sizeof(ID));
    w->jobs[9].add.a = 2, w->jobs[9].add.b = 1; // the id with other numbers
    w->jobs[0].deadline_mono_ns = 1;
    assert_int_equal(submit(w, 0, JOBS), JOBS);
    writer_start(w->writer);
    writer_stop(w->writer);
    EXPECT_GROWN(w, {APPENDED, 7}, {REPEATED, 1}, {CONFLICT, 1}, {EXPIRED, 1}, {BATCHES, 1},
                 {BATCHED, 9}, {ACCEPT_TO_COMMIT, 7}, {INSERTS, 1});
    world_destroy(w);
}

static void what_is_turned_away_is_counted_by_reason(void **state)
{
    (void)state;
    struct world *w = world_create(3, 4);
    assert_int_equal(submit(w, 0, 5), 3);
    writer_start(w->writer);
    writer_stop(w->writer);
    outbox_published_set(w->outbox, 2);
    EXPECT_GROWN(w, {APPENDED, 3}, {QUEUE_FULL, 2}, {BATCHES, 1}, {BATCHED, 3},
                 {ACCEPT_TO_COMMIT, 3}, {COMMIT_TO_ACK, 2}, {INSERTS, 1});
    world_destroy(w);
}

static void a_full_backlog_is_counted_apart(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS, 3);
    assert_int_equal(submit(w, 0, 4), 4);
    writer_start(w->writer);
    writer_stop(w->writer);
    assert_int_equal(submit(w, 4, 2), 0);
    EXPECT_GROWN(w, {APPENDED, 4}, {BACKLOG_FULL, 2}, {BATCHES, 1}, {BATCHED, 4},
                 {ACCEPT_TO_COMMIT, 4}, {INSERTS, 1});
    world_destroy(w);
}

static void rows_of_a_former_process_are_not_observed(void **state)
{
    (void)state;
    struct world *w = world_create(JOBS, 0);
    assert_int_equal(submit(w, 0, 5), 5);
    writer_start(w->writer);
    writer_stop(w->writer);
    outbox_close(w->outbox);
    const struct outbox_config outbox = {w->path, 1000, 1000};
    struct err err;
    EXPECT(outbox_open(&w->outbox, &outbox, &err), "%s", err.text);
    outbox_published_set(w->outbox, 5);
    EXPECT_GROWN(w, {APPENDED, 5}, {BATCHES, 1}, {BATCHED, 5}, {ACCEPT_TO_COMMIT, 5}, {INSERTS, 1});
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_are_counted_by_what_became_of_them),
        cmocka_unit_test(what_is_turned_away_is_counted_by_reason),
        cmocka_unit_test(a_full_backlog_is_counted_apart),
        cmocka_unit_test(rows_of_a_former_process_are_not_observed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
