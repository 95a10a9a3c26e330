// SPDX-License-Identifier: Apache-2.0
#include "cli/services.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "http_stub.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000
#define SOURCE     "01234567-89ab-4cde-8f01-23456789abcd"

// A server whose answer is this document.
struct served {
    struct bytes answer;
    struct http_stub *stub;
};

static const char *serve(struct served *s, const char *document)
{
    bytes_printf(&s->answer,
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 strlen(document), document);
    s->stub = http_stub_start((const char *)s->answer.data, s->answer.length);
    return http_stub_url(s->stub);
}

static void served_end(struct served *s)
{
    http_stub_stop(s->stub);
    bytes_clear(&s->answer);
}

static void an_adders_source_is_read(void **state)
{
    (void)state;
    struct served served = {.stub = NULL};
    const char *url = serve(&served, "{\"source\":\"" SOURCE "\",\"count\":\"9\",\"sum\":"
                                     "\"-170141183460469231731687303715884105728\","
                                     "\"published\":\"7\",\"backlog\":\"2\",\"partition\":3,"
                                     "\"kafka\":\"ok\"}");
    struct adder_source got;
    struct err err = {.text = ""};
    EXPECT(adder_source_read(&got, url, TIMEOUT_MS, &err), "%s", err.text);
    assert_string_equal(got.source.text, SOURCE);
    assert_int_equal(got.count, 9);
    assert_int_equal(got.published, 7);
    assert_int_equal(got.partition, 3);
    assert_true(got.sum == (__int128)((unsigned __int128)1 << 127));
    served_end(&served);
}

static void what_a_document_lacks_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *document, *text;
    } table[] = {
        {"{}", "\"source\""},
        {"{\"source\":\"x\",\"count\":\"1\",\"sum\":\"1\",\"published\":\"1\"}", "\"source\""},
        {"{\"source\":\"" SOURCE "\",\"count\":1,\"sum\":\"1\",\"published\":\"1\"}", "\"count\""},
        {"{\"source\":\"" SOURCE "\",\"count\":\"1\",\"sum\":\"1.5\",\"published\":\"1\"}",
         "\"sum\""},
        {"{\"source\":\"" SOURCE "\",\"count\":\"1\",\"sum\":\"1\"}", "\"published\""},
        {"{\"source\":\"" SOURCE "\",\"count\":\"9223372036854775808\",\"sum\":\"1\"}",
         "\"count\" is out of range"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct served served = {.stub = NULL};
        struct adder_source got;
        struct err err = {.text = ""};
        assert_false(adder_source_read(&got, serve(&served, table[i].document), TIMEOUT_MS, &err));
        assert_int_equal(err.code, ERR_INVALID);
        EXPECT(strstr(err.text, table[i].text) != NULL && strstr(err.text, "/source") != NULL,
               "\"%s\" does not say %s", err.text, table[i].text);
        served_end(&served);
    }
}

static void the_ledgers_sources_are_read_with_their_missing_ranges(void **state)
{
    (void)state;
    struct served served = {.stub = NULL};
    const char *url = serve(
        &served,
        "{\"sources\":[{\"source\":\"" SOURCE "\",\"partition\":1,\"highest\":\"9\","
        "\"count\":\"6\",\"sum\":\"30\",\"duplicates\":\"1\",\"missing_events\":\"3\",\"missing\":"
        "[{\"first\":\"2\",\"last\":\"3\"},{\"first\":\"7\",\"last\":\"7\"}]},"
        "{\"source\":\"11234567-89ab-4cde-8f01-23456789abcd\",\"highest\":\"1\",\"count\":\"1\","
        "\"sum\":\"-2\",\"missing_events\":\"0\",\"missing\":[]}]}");
    struct ledger_views views;
    struct err err = {.text = ""};
    EXPECT(ledger_views_read(&views, url, TIMEOUT_MS, &err), "%s", err.text);
    assert_int_equal(views.count, 2);
    struct uuid source;
    assert_true(uuid_parse(SOURCE, UUID_LENGTH, &source));
    const struct ledger_view *view = ledger_views_find(&views, &source);
    assert_non_null(view);
    assert_int_equal(view->count, 6);
    assert_int_equal(view->missing_events, 3);
    assert_string_equal(view->missing, "2-3, 7");
    assert_true(views.items[1].sum == -2);
    source.text[0] = 'f';
    assert_null(ledger_views_find(&views, &source));
    ledger_views_clear(&views);
    served_end(&served);
}

static void a_broken_source_spoils_the_list_and_nothing_leaks(void **state)
{
    (void)state;
    struct served served = {.stub = NULL};
    const char *url = serve(&served, "{\"sources\":[{\"source\":\"" SOURCE "\",\"highest\":\"1\","
                                     "\"count\":\"1\",\"sum\":\"1\",\"missing_events\":\"0\"},7]}");
    struct ledger_views views;
    struct err err;
    assert_false(ledger_views_read(&views, url, TIMEOUT_MS, &err));
    assert_int_equal(views.count, 0);
    assert_null(views.items);
    served_end(&served);
}

static void lag_is_known_only_where_somebody_reads(void **state)
{
    (void)state;
    struct served served = {.stub = NULL};
    const char *url =
        serve(&served, "{\"partitions\":["
                       "{\"partition\":0,\"assigned\":true,\"next_offset\":\"5\","
                       "\"end_offset\":\"7\",\"lag\":\"2\",\"end_age_ms\":\"60000\"},"
                       "{\"partition\":1,\"assigned\":false,\"lag\":\"0\",\"end_age_ms\":\"1\"},"
                       "{\"partition\":3,\"assigned\":true,\"end_offset\":null,\"lag\":null},"
                       "{\"partition\":4,\"assigned\":true,\"lag\":\"0\",\"end_age_ms\":\"1\"},"
                       "{\"partition\":5,\"assigned\":true,\"lag\":\"0\",\"end_age_ms\":null}]}");
    const int64_t before = clock_mono_ns();
    struct partition_lags lags;
    struct err err = {.text = ""};
    EXPECT(partition_lags_read(&lags, url, TIMEOUT_MS, &err), "%s", err.text);
    static const struct {
        int32_t partition;
        int64_t lag;
    } table[] = {{0, 2}, {1, LAG_UNKNOWN}, {2, LAG_UNKNOWN},  {3, LAG_UNKNOWN},
                 {4, 0}, {5, LAG_UNKNOWN}, {-1, LAG_UNKNOWN}, {6, LAG_UNKNOWN}};
    for (size_t i = 0; i < COUNT_OF(table); i++)
        assert_int_equal(partition_lag(&lags, table[i].partition, before - NS_PER_S), table[i].lag);
    assert_int_equal(partition_lag_all(&lags, before - NS_PER_S), 2);
    partition_lags_clear(&lags);
    served_end(&served);
}

// That nothing was on its way a second ago says nothing about what came since.
static void a_lag_of_0_counts_only_if_kafka_said_so_since(void **state)
{
    (void)state;
    struct served served = {.stub = NULL};
    const char *url = serve(&served, "{\"partitions\":[{\"partition\":0,\"assigned\":true,"
                                     "\"lag\":\"0\",\"end_age_ms\":\"1000\"}]}");
    struct partition_lags lags;
    struct err err = {.text = ""};
    const int64_t before = clock_mono_ns();
    EXPECT(partition_lags_read(&lags, url, TIMEOUT_MS, &err), "%s", err.text);
    const int64_t after = clock_mono_ns();
    assert_int_equal(partition_lag(&lags, 0, before - NS_PER_S), 0);
    assert_int_equal(partition_lag(&lags, 0, after - NS_PER_S + 1), LAG_UNKNOWN);
    assert_int_equal(partition_lag_all(&lags, after), LAG_UNKNOWN);
    partition_lags_clear(&lags);
    served_end(&served);
}

static void impossible_partitions_are_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "{}",
        "{\"partitions\":{}}",
        "{\"partitions\":[{\"partition\":-1}]}",
        "{\"partitions\":[{\"partition\":9223372036854775807}]}",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct served served = {.stub = NULL};
        struct partition_lags lags;
        struct err err;
        EXPECT(!partition_lags_read(&lags, serve(&served, table[i]), TIMEOUT_MS, &err), "%s",
               table[i]);
        served_end(&served);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adders_source_is_read),
        cmocka_unit_test(what_a_document_lacks_is_named),
        cmocka_unit_test(the_ledgers_sources_are_read_with_their_missing_ranges),
        cmocka_unit_test(a_broken_source_spoils_the_list_and_nothing_leaks),
        cmocka_unit_test(lag_is_known_only_where_somebody_reads),
        cmocka_unit_test(a_lag_of_0_counts_only_if_kafka_said_so_since),
        cmocka_unit_test(impossible_partitions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
