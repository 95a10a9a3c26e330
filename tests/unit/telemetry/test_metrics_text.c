// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics.h"

#include "base/clock.h"
#include "metrics_rig.h"

#include <inttypes.h>
#include <stdio.h>

#define SAMPLED   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define UNSAMPLED "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
#define MS(n)     ((n)*NS_PER_MS)

static void without_samples_a_metric_is_not_mentioned(void **state)
{
    (void)state;
    expect_absent(METRICS_TEXT, "abacus_kafka_errors");
}

static void a_counters_name_differs_between_the_formats(void **state)
{
    (void)state;
    metric_add(METRIC_SERIES(METRIC_KAFKA_ERRORS, "producer", "_TRANSPORT"), 3);
    expect_lines(METRICS_TEXT,
                 "# HELP abacus_kafka_errors_total Errors that librdkafka reported, by client "
                 "(producer, consumer) and librdkafka's name for them.\n"
                 "# TYPE abacus_kafka_errors_total counter\n"
                 "abacus_kafka_errors_total{client=\"producer\",error_type=\"_TRANSPORT\"} 3\n");
    expect_lines(METRICS_OPENMETRICS,
                 "# HELP abacus_kafka_errors Errors that librdkafka reported, by client "
                 "(producer, consumer) and librdkafka's name for them.\n"
                 "# TYPE abacus_kafka_errors counter\n"
                 "abacus_kafka_errors_total{client=\"producer\",error_type=\"_TRANSPORT\"} 3\n");
}

static void collect_seconds(struct metrics_scrape *scrape, void *ctx)
{
    METRIC_PUT(scrape, METRIC_PROCESS_UPTIME, *(const int64_t *)ctx);
    METRIC_PUT(scrape, METRIC_LEDGER_SOURCES, *(const int64_t *)ctx);
}

static void nanoseconds_are_shown_as_seconds_and_numbers_as_they_are(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *seconds;
    } rows[] = {
        {0, "0"},
        {1, "0.000000001"},
        {1500000000, "1.5"},
        {20000000000, "20"},
        {-250000000, "-0.25"},
        {INT64_MAX, "9223372036.854775807"},
        {INT64_MIN, "-9223372036.854775808"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = rows[i].ns;
        char line[100];
        metrics_collect(collect_seconds, &value);
        snprintf(line, sizeof(line), "process_uptime_seconds %s\n", rows[i].seconds);
        expect_lines(METRICS_TEXT, line);
        snprintf(line, sizeof(line), "abacus_ledger_sources %" PRId64 "\n", value);
        expect_lines(METRICS_OPENMETRICS, line);
        metrics_collect_end(&value);
    }
}

static void a_histogram_accumulates_and_its_bounds_are_canonical(void **state)
{
    (void)state;
    const struct metric_series series = METRIC_SERIES(METRIC_DB_DURATION, "outbox", "INSERT", "");
    metric_observe(series, 50000, 2); // a value on a bound is below it
    metric_observe(series, 50001, 1);
    metric_observe(series, MS(1000), 1);
    metric_observe(series, MS(11000), 1);
    metric_observe(series, -5, 1); // clocks: as if it were 0
    expect_lines(METRICS_OPENMETRICS, "# TYPE db_client_operation_duration_seconds histogram\n"
                                      "# UNIT db_client_operation_duration_seconds seconds\n");
    static const char *const bounds[] = {"5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025",
                                         "0.005", "0.01",   "0.025",   "0.05",   "0.1",   "0.25",
                                         "0.5",   "1.0",    "5.0",     "10.0",   "+Inf"};
    static const int counts[] = {3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 6};
    static const char labels[] = "db_system_name=\"sqlite\",db_collection_name=\"outbox\","
                                 "db_operation_name=\"INSERT\"";
    struct bytes want = {0};
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        bytes_printf(&want, "db_client_operation_duration_seconds_bucket{%s,le=\"%s\"} %d\n",
                     labels, bounds[i], counts[i]);
    bytes_printf(&want,
                 "db_client_operation_duration_seconds_sum{%s} 12.000150001\n"
                 "db_client_operation_duration_seconds_count{%s} 6\n",
                 labels, labels);
    expect_lines(METRICS_TEXT, (const char *)want.data);
    expect_lines(METRICS_OPENMETRICS, (const char *)want.data);
    bytes_clear(&want);
}

static void a_histogram_of_numbers_is_not_scaled(void **state)
{
    (void)state;
    const struct metric_series series = METRIC_SERIES(METRIC_RELAY_BATCH);
    metric_observe(series, 1024, 1);
    metric_observe(series, 1025, 2);
    expect_lines(METRICS_TEXT, "abacus_relay_batch_events_bucket{le=\"512.0\"} 0\n"
                               "abacus_relay_batch_events_bucket{le=\"1024.0\"} 1\n"
                               "abacus_relay_batch_events_bucket{le=\"+Inf\"} 3\n"
                               "abacus_relay_batch_events_sum 3074\n"
                               "abacus_relay_batch_events_count 3\n");
}

static void a_sum_does_not_overflow_when_all_is_an_hour_late(void **state)
{
    (void)state;
    const struct metric_series series = METRIC_SERIES(METRIC_STAGE_LATENCY, "broker_to_poll");
    for (int i = 0; i < 100; i++)
        metric_observe(series, MS(3600000), 1000000);
    expect_lines(METRICS_TEXT,
                 "abacus_stage_latency_seconds_sum{stage=\"broker_to_poll\"} 360000000000\n");
}

// --- exemplars ---
static void a_sampled_trace_is_its_buckets_exemplar_in_openmetrics_only(void **state)
{
    (void)state;
    const struct metric_series series = METRIC_SERIES(METRIC_DELIVERY_LATENCY);
    const struct trace_context sampled = {SAMPLED}, unsampled = {UNSAMPLED}, none = {""};
    metric_observe_traced(series, MS(1), &none);
    metric_observe_traced(series, MS(1), &unsampled);
    metric_observe_traced(series, MS(4), &sampled);
    metric_observe_traced(series, MS(4) + 1, &sampled); // too soon for another
    expect_absent(METRICS_TEXT, "trace_id");
    char *page = expose(METRICS_OPENMETRICS);
    const char *found = strstr(page, "trace_id");
    EXPECT(found != NULL && strstr(found + 1, "trace_id") == NULL, "not one exemplar:\n%s", page);
    const char want[] = "abacus_delivery_latency_seconds_bucket{le=\"0.005\"} 4 # "
                        "{trace_id=\"0af7651916cd43dd8448eb211c80319c\","
                        "span_id=\"b7ad6b7169203331\"} 0.004 ";
    found = strstr(page, want);
    EXPECT(found != NULL, "missing: %s in\n%s", want, page);
    const double time_s = strtod(found + strlen(want), NULL);
    const double now_s = (double)clock_unix_us() / 1e6;
    EXPECT(time_s <= now_s && time_s > now_s - 3600, "the time of the exemplar is %f", time_s);
    free(page);
}

// --- labels ---
static const struct {
    const char *value, *shown; // NULL: the label is left out
} labels[] = {
    {"plain", "plain"},
    {"", NULL},
    {"a\"b", "a\\\"b"},
    {"a\\b", "a\\\\b"},
    {"a\nb", "a\\nb"},
    {"\\n", "\\\\n"},
    {"a\r\tb", "a\xef\xbf\xbd\xef\xbf\xbd"
               "b"},
    {"{},=# ", "{},=# "},
    {"größe ∑ 🧮", "größe ∑ 🧮"},
    {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"/\xc0\xaf", "/\xef\xbf\xbd\xef\xbf\xbd"},
    {"+\xed\xa0\x80", "+\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"cut \xf0\x9f\xa7", "cut \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

static void a_label_value_may_be_anything(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        metric_add(METRIC_SERIES(METRIC_SPANS_EXPORTED, labels[i].value), 1);
        char line[200];
        const bool out = labels[i].shown == NULL;
        snprintf(line, sizeof(line), "otel_sdk_exporter_span_exported_total%s%s%s 1\n",
                 out ? "" : "{error_type=\"", out ? "" : labels[i].shown, out ? "" : "\"}");
        expect_lines(METRICS_TEXT, line);
        expect_lines(METRICS_OPENMETRICS, line);
    }
}

// n times the text, then the rest.
static char *repeated(size_t n, const char *text, const char *rest)
{
    struct bytes out = {0};
    for (size_t i = 0; i < n; i++)
        bytes_append_text(&out, text);
    bytes_append_text(&out, rest);
    return (char *)out.data;
}

static void a_long_label_value_is_cut_between_two_characters(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *text, *rest;
        size_t stay; // repetitions
    } rows[] = {
        {128, "a", "", 128}, {127, "b", "cc", 127}, {64, "ö", "", 64},    {65, "ü", "", 64},
        {43, "∑", "", 42},   {33, "🧮", "", 32},  {2000, "z", "", 128},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *given = repeated(rows[i].n, rows[i].text, rows[i].rest);
        char *shown = repeated(rows[i].stay, rows[i].text, i == 1 ? "c" : "");
        metric_add(METRIC_SERIES(METRIC_SPANS_PROCESSED, given), 1);
        char line[300];
        snprintf(line, sizeof(line),
                 "otel_sdk_processor_span_processed_total{error_type=\"%s\"} 1\n", shown);
        expect_lines(METRICS_TEXT, line);
        free(given);
        free(shown);
    }
}

// --- the page ---
static void the_target_comes_first_and_the_end_is_marked(void **state)
{
    (void)state;
    expect_absent(METRICS_TEXT, "target");
    metrics_target_set("service_name=\"abacus-adder\",service_version=\"1\"");
    char *text = expose(METRICS_TEXT), *openmetrics = expose(METRICS_OPENMETRICS);
    static const char in_text[] = "# HELP target_info Who this process is.\n"
                                  "# TYPE target_info gauge\n"
                                  "target_info{service_name=\"abacus-adder\","
                                  "service_version=\"1\"} 1\n",
                      in_openmetrics[] = "# HELP target Who this process is.\n"
                                         "# TYPE target info\n"
                                         "target_info{service_name=\"abacus-adder\","
                                         "service_version=\"1\"} 1\n";
    assert_memory_equal(text, in_text, strlen(in_text));
    assert_memory_equal(openmetrics, in_openmetrics, strlen(in_openmetrics));
    assert_string_equal(openmetrics + strlen(openmetrics) - 7, "\n# EOF\n");
    assert_null(strstr(text, "# EOF"));
    free(text);
    free(openmetrics);
}

static void metrics_come_in_the_tables_order_and_series_by_their_labels(void **state)
{
    (void)state;
    metric_add(METRIC_SERIES(METRIC_LOG_LINES, "warn"), 1); // later in the table
    metric_add(METRIC_SERIES(METRIC_ADDS, "repeated"), 1);
    metric_add(METRIC_SERIES(METRIC_ADDS, "appended"), 1);
    char *page = expose(METRICS_TEXT);
    const char *appended = strstr(page, "abacus_adds_total{outcome=\"appended\"}"),
               *repeated_ = strstr(page, "abacus_adds_total{outcome=\"repeated\"}"),
               *lines = strstr(page, "abacus_log_lines_total{");
    EXPECT(appended < repeated_ && repeated_ < lines, "another order:\n%s", page);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_samples_a_metric_is_not_mentioned),
        cmocka_unit_test(a_counters_name_differs_between_the_formats),
        cmocka_unit_test(nanoseconds_are_shown_as_seconds_and_numbers_as_they_are),
        cmocka_unit_test(a_histogram_accumulates_and_its_bounds_are_canonical),
        cmocka_unit_test(a_histogram_of_numbers_is_not_scaled),
        cmocka_unit_test(a_sum_does_not_overflow_when_all_is_an_hour_late),
        cmocka_unit_test(a_sampled_trace_is_its_buckets_exemplar_in_openmetrics_only),
        cmocka_unit_test(a_label_value_may_be_anything),
        cmocka_unit_test(a_long_label_value_is_cut_between_two_characters),
        cmocka_unit_test(the_target_comes_first_and_the_end_is_marked),
        cmocka_unit_test(metrics_come_in_the_tables_order_and_series_by_their_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
