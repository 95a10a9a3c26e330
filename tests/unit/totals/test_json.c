// SPDX-License-Identifier: Apache-2.0
#include "totals/json.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define INT128_MIN ((__int128)((unsigned __int128)1 << 127))

static struct ledger_total total_of(__int128 sum, int64_t others)
{
    return (struct ledger_total){.ledger = {"0c5f8d9a-0000-4000-8000-000000000000"},
                                 .version = others,
                                 .count = others,
                                 .sum = sum,
                                 .missing = others,
                                 .duplicates = others,
                                 .dead_letters = others};
}

static void the_widest_total_fits(void **state)
{
    (void)state;
    const struct ledger_total widest = total_of(INT128_MIN, INT64_MAX);
    char json[JSON_TOTAL_BYTES], tag[JSON_TAG_BYTES];
    const size_t length = json_total(json, &widest);
    assert_int_equal(length, strlen(json));
    assert_string_equal(json, "{\"total\":\"-170141183460469231731687303715884105728\","
                              "\"count\":\"9223372036854775807\","
                              "\"version\":\"9223372036854775807\","
                              "\"missing\":\"9223372036854775807\","
                              "\"duplicates\":\"9223372036854775807\","
                              "\"dead_letters\":\"9223372036854775807\"}");
    json_tag(tag, &widest);
    assert_string_equal(tag, "0c5f8d9a-9223372036854775807");
}

static void expect(struct bytes *out, const char *json)
{
    assert_string_equal((const char *)out->data, json);
    bytes_clear(out);
}

static void a_source_shows_what_it_misses_and_times_only_when_known(void **state)
{
    (void)state;
    struct range missing[] = {{2, 3}, {7, 7}};
    struct ledger_source source = {.source = {"01234567-89ab-4cde-8f01-23456789abcd"},
                                   .partition = 2,
                                   .highest = 9,
                                   .count = 6,
                                   .duplicates = 1,
                                   .missing_events = 3,
                                   .sum = -5,
                                   .applied_unix_us = 1,
                                   .missing = missing,
                                   .missing_count = COUNT_OF(missing)};
    struct bytes out = {0};
    json_source(&out, &source);
    expect(&out, "{\"source\":\"01234567-89ab-4cde-8f01-23456789abcd\",\"partition\":2,"
                 "\"highest\":\"9\",\"count\":\"6\",\"sum\":\"-5\",\"duplicates\":\"1\","
                 "\"missing_events\":\"3\",\"missing\":[{\"first\":\"2\",\"last\":\"3\"},"
                 "{\"first\":\"7\",\"last\":\"7\"}],"
                 "\"applied_at\":\"1970-01-01T00:00:00.000001Z\",\"accepted_at\":null}");
}

static void lag_is_what_kafka_has_and_the_ledger_has_not(void **state)
{
    (void)state;
    static const struct {
        int64_t next, settled, end;
        const char *json; // after "assigned":true
    } rows[] = {
        {5, 5, 12, "\"next_offset\":\"5\",\"end_offset\":\"12\",\"lag\":\"7\""},
        {12, 12, 12, "\"next_offset\":\"12\",\"end_offset\":\"12\",\"lag\":\"0\""},
        {12, 12, 10, "\"next_offset\":\"12\",\"end_offset\":\"10\",\"lag\":\"0\""}, // heard earlier
        {-1, 0, 3, "\"next_offset\":\"0\",\"end_offset\":\"3\",\"lag\":\"3\""},
        {900, 0, 3, "\"next_offset\":\"900\",\"end_offset\":\"3\",\"lag\":\"3\""}, // made anew
        {-1, 7, 7, "\"next_offset\":\"0\",\"end_offset\":\"7\",\"lag\":\"0\""},    // all deleted
        {5, 5, -1, "\"next_offset\":\"5\",\"end_offset\":null,\"lag\":null"},
        {5, -1, 9, "\"next_offset\":\"5\",\"end_offset\":\"9\",\"lag\":null"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct json_partition partition = {.ledger = {1, rows[i].next, 4},
                                                 .settled_offset = rows[i].settled,
                                                 .end_offset = rows[i].end,
                                                 .end_age_ms = 20,
                                                 .assigned = true};
        struct bytes out = {0};
        json_partition(&out, &partition);
        char *want = xasprintf("{\"partition\":1,\"assigned\":true,%s,\"end_age_ms\":\"20\","
                               "\"dead_letters\":\"4\"}",
                               rows[i].json);
        expect(&out, want);
        free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_widest_total_fits),
        cmocka_unit_test(a_source_shows_what_it_misses_and_times_only_when_known),
        cmocka_unit_test(lag_is_what_kafka_has_and_the_ledger_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
