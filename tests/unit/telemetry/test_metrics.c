// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics.h"

#include "metrics_rig.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 4
#define ADDS    20000

// The number at the end of the line that begins so; -1: there is no such line.
static int64_t value_of(const char *start)
{
    char *page = expose(METRICS_TEXT);
    const char *found = strstr(page, start);
    const int64_t value = found == NULL ? -1 : strtoll(found + strlen(start), NULL, 10);
    free(page);
    return value;
}

static void the_same_values_give_the_same_series(void **state)
{
    (void)state;
    const struct metric_series a = METRIC_SERIES(METRIC_WRITER_REFUSED, "queue_full"),
                               b = METRIC_SERIES(METRIC_WRITER_REFUSED, "expired");
    char copy[] = "queue_full";
    const struct metric_series again = METRIC_SERIES(METRIC_WRITER_REFUSED, copy);
    assert_int_equal(a.cell, again.cell);
    assert_int_not_equal(a.cell, b.cell);
    metric_add(a, 2);
    metric_add(again, 3);
    expect_lines(METRICS_TEXT, "abacus_writer_refused_total{reason=\"expired\"} 0\n"
                               "abacus_writer_refused_total{reason=\"queue_full\"} 5\n");
}

static void a_zeroed_series_counts_nothing(void **state)
{
    (void)state;
    const struct metric_series none = {0};
    const struct trace_context context = {""};
    metric_add(none, 1);
    metric_observe(none, 1, 1);
    metric_observe_traced(none, 1, &context);
}

// --- threads ---
static void *add_many(void *arg)
{
    const struct metric_series *series = arg;
    for (int i = 0; i < ADDS; i++) {
        metric_add(series[0], 1);
        metric_observe(series[1], i % 100, 1);
    }
    return NULL;
}

static void nothing_is_lost_while_threads_add_and_a_scrape_sums(void **state)
{
    (void)state;
    struct metric_series series[] = {METRIC_SERIES(METRIC_ADDS, "appended"),
                                     METRIC_SERIES(METRIC_WRITER_BATCH)};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, series), 0);
    int64_t last = 0;
    for (int i = 0; i < 50; i++) {
        const int64_t now = value_of("abacus_adds_total{outcome=\"appended\"} ");
        EXPECT(now >= last, "a counter went back from %" PRId64 " to %" PRId64, last, now);
        last = now;
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(value_of("abacus_adds_total{outcome=\"appended\"} "), THREADS * ADDS);
    assert_int_equal(value_of("abacus_writer_batch_adds_count "), THREADS * ADDS);
    assert_int_equal(value_of("abacus_writer_batch_adds_sum "), THREADS * ADDS / 100 * 4950);
}

static void *add_one(void *arg)
{
    metric_add(*(const struct metric_series *)arg, 1);
    return NULL;
}

static void what_ended_threads_counted_stays(void **state)
{
    (void)state;
    struct metric_series series = METRIC_SERIES(METRIC_ADDS, "conflict");
    for (int i = 1; i <= 100; i++) { // one after the other they share one block
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, add_one, &series), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(value_of("abacus_adds_total{outcome=\"conflict\"} "), i);
    }
}

static void *make_series(void *arg)
{
    struct metric_series *out = arg;
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "error %d", i);
        out[i] = METRIC_SERIES(METRIC_RELAY_RESTARTS, name);
        metric_add(out[i], 1);
    }
    return NULL;
}

static void threads_that_make_the_same_series_get_the_same(void **state)
{
    (void)state;
    static struct metric_series made[THREADS][50];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_series, made[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_memory_equal(made[0], made[THREADS - 1], sizeof(made[0]));
    assert_int_equal(value_of("abacus_relay_restarts_total{error_type=\"error 7\"} "), THREADS);
}

// --- bounds ---
static void a_metric_has_a_bounded_number_of_series(void **state)
{
    (void)state;
    const int64_t dropped = value_of("abacus_metrics_dropped_series_total ");
    assert_int_equal(dropped, -1); // nobody exposes it here: that is process_metrics.c
    struct metric_series last = {0};
    for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
        char partition[16];
        snprintf(partition, sizeof(partition), "%d", i);
        last = METRIC_SERIES(METRIC_LEDGER_DEAD_LETTERS, partition);
        metric_add(last, 1);
    }
    assert_int_equal(last.cell, 0);
    assert_int_equal(METRIC_SERIES(METRIC_LEDGER_DEAD_LETTERS, "0").cell != 0,
                     true); // what was there stays
    expect_lines(METRICS_TEXT, "abacus_ledger_dead_letters_total{partition=\"199\"} 1\n");
    expect_absent(METRICS_TEXT, "abacus_ledger_dead_letters_total{partition=\"200\"}");
}

// --- collectors ---
struct collected {
    int64_t value;
    int calls;
};

static void collect(struct metrics_scrape *scrape, void *ctx)
{
    struct collected *collected = ctx;
    collected->calls++;
    METRIC_PUT(scrape, METRIC_CONSUMER_LAG, collected->value, "1");
    METRIC_PUT(scrape, METRIC_CONSUMER_LAG, 0, "0");
    METRIC_PUT(scrape, METRIC_WRITER_QUEUE, collected->value);
}

static void a_collector_is_asked_at_each_scrape_until_it_ends(void **state)
{
    (void)state;
    struct collected collected = {.value = 1500000000};
    metrics_collect(collect, &collected);
    expect_lines(METRICS_TEXT, "abacus_writer_queue_adds 1500000000\n");
    expect_lines(METRICS_TEXT, "abacus_consumer_lag_seconds{partition=\"0\"} 0\n"
                               "abacus_consumer_lag_seconds{partition=\"1\"} 1.5\n");
    collected.value = -1;
    expect_lines(METRICS_TEXT, "abacus_consumer_lag_seconds{partition=\"1\"} -0.000000001\n");
    metrics_collect_end(&collected);
    expect_absent(METRICS_TEXT, "abacus_writer_queue_adds");
    assert_int_equal(collected.calls, 3);
}

static void collect_twice(struct metrics_scrape *scrape, void *ctx)
{
    (void)ctx;
    METRIC_PUT(scrape, METRIC_STORE_WAL, 5, "outbox");
    METRIC_PUT(scrape, METRIC_STORE_WAL, 5, "outbox");
}

static void a_series_is_exposed_once_whoever_puts_it(void **state)
{
    (void)state;
    metrics_collect(collect_twice, state);
    expect_lines(METRICS_TEXT, "# TYPE abacus_store_wal_bytes gauge\n"
                               "abacus_store_wal_bytes{store=\"outbox\"} 5\n#");
    metrics_collect_end(state);
}

static void collect_too_many(struct metrics_scrape *scrape, void *ctx)
{
    (void)ctx;
    for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
        char source[16];
        snprintf(source, sizeof(source), "%04d", i);
        METRIC_PUT(scrape, METRIC_LEDGER_MISSING, i, source);
    }
}

static void a_collector_cannot_make_more_series_than_anybody(void **state)
{
    (void)state;
    metrics_collect(collect_too_many, state);
    expect_lines(METRICS_TEXT, "abacus_ledger_missing_events{source=\"0199\"} 199\n");
    expect_absent(METRICS_TEXT, "abacus_ledger_missing_events{source=\"0200\"}");
    metrics_collect_end(state);
}

static _Atomic bool ended;

static void *scrape_until_ended(void *arg)
{
    (void)arg;
    while (!atomic_load(&ended))
        free(expose(METRICS_TEXT));
    return NULL;
}

static void a_collector_does_not_run_once_its_end_has_returned(void **state)
{
    (void)state;
    pthread_t scraper;
    assert_int_equal(pthread_create(&scraper, NULL, scrape_until_ended, NULL), 0);
    for (int i = 0; i < 50; i++) {
        struct collected *collected = calloc(1, sizeof(*collected));
        metrics_collect(collect, collected);
        metrics_collect_end(collected);
        free(collected); // a sanitizer would see a late call
    }
    atomic_store(&ended, true);
    assert_int_equal(pthread_join(scraper, NULL), 0);
}

// --- off ---
static void when_off_nothing_is_recorded_and_collectors_still_answer(void **state)
{
    (void)state;
    const struct metric_series before = METRIC_SERIES(METRIC_ADDS, "repeated");
    metrics_enable(false);
    assert_false(metrics_enabled());
    metric_add(before, 1);
    assert_int_equal(METRIC_SERIES(METRIC_CONSUMER_REBALANCES, "revoked").cell, 0);
    struct collected collected = {.value = 3};
    metrics_collect(collect, &collected);
    expect_lines(METRICS_TEXT, "abacus_writer_queue_adds 3\n");
    expect_lines(METRICS_TEXT, "abacus_adds_total{outcome=\"repeated\"} 0\n");
    metrics_collect_end(&collected);
    metrics_enable(true);
}

// The last test: after it no series can be made.
static void all_series_together_are_bounded(void **state)
{
    (void)state;
    const struct metric_series early = METRIC_SERIES(METRIC_ADDS, "repeated");
    struct metric_series last = early;
    for (int i = 0; i < METRIC_SERIES_MAX; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        METRIC_SERIES(METRIC_RPC_DURATION, value, "", "");
        METRIC_SERIES(METRIC_HTTP_DURATION, value, "", "", "");
        METRIC_SERIES(METRIC_DB_DURATION, value, "", "");
        METRIC_SERIES(METRIC_PROCESS_DURATION, value, "", "");
        last = METRIC_SERIES(METRIC_STAGE_LATENCY, value);
        metric_observe(last, INT64_MAX, 1);
    }
    assert_int_equal(last.cell, 0);
    metric_add(early, 1);
    expect_lines(METRICS_TEXT, "abacus_adds_total{outcome=\"repeated\"} 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_values_give_the_same_series),
        cmocka_unit_test(a_zeroed_series_counts_nothing),
        cmocka_unit_test(nothing_is_lost_while_threads_add_and_a_scrape_sums),
        cmocka_unit_test(what_ended_threads_counted_stays),
        cmocka_unit_test(threads_that_make_the_same_series_get_the_same),
        cmocka_unit_test(a_metric_has_a_bounded_number_of_series),
        cmocka_unit_test(a_collector_is_asked_at_each_scrape_until_it_ends),
        cmocka_unit_test(a_series_is_exposed_once_whoever_puts_it),
        cmocka_unit_test(a_collector_cannot_make_more_series_than_anybody),
        cmocka_unit_test(a_collector_does_not_run_once_its_end_has_returned),
        cmocka_unit_test(when_off_nothing_is_recorded_and_collectors_still_answer),
        cmocka_unit_test(all_series_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
