// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE      "01234567-89ab-4def-8123-456789abcdef"
#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define HEADERS_MAX 16

static const struct event five = {
    .source = {SOURCE},
    .sequence = 42,
    .a = 2,
    .b = 3,
    .sum = 5,
    .accepted_unix_us = INT64_C(1769860800000001),
    .context = {TRACEPARENT},
};

// --- a message that each case changes in one place ---
struct header {
    const char *name, *value; // value NULL: the header has no value
};

struct message {
    struct header headers[HEADERS_MAX];
    size_t count;
    const char *key, *value; // NULL: none
};

static struct message good_message(void)
{
    return (struct message){
        .headers =
            {
                {"ce_specversion", "1.0"},
                {"ce_id", SOURCE "/42"},
                {"ce_source", EVENT_SOURCE_PREFIX SOURCE},
                {"ce_type", EVENT_TYPE},
                {"ce_time", "2026-01-31T12:00:00.000001Z"},
                {"ce_sequence", "0000000000000000042"},
                {"content-type", "application/json"},
                {"traceparent", TRACEPARENT},
                {"ce_traceparent", TRACEPARENT},
            },
        .count = 9,
        .key = SOURCE,
        .value = "{\"a\":\"2\",\"b\":\"3\",\"sum\":\"5\"}",
    };
}

static struct header *find(struct message *message, const char *name)
{
    for (size_t i = 0; i < message->count; i++) {
        if (strcmp(message->headers[i].name, name) == 0)
            return &message->headers[i];
    }
    fail_msg("no header %s", name);
    return NULL;
}

static bool decode(const struct message *message, struct event *event, struct err *err)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->count);
    for (size_t i = 0; i < message->count; i++) {
        const struct header *h = &message->headers[i];
        rd_kafka_header_add(headers, h->name, -1, h->value, h->value == NULL ? 0 : -1);
    }
    const struct event_message borrowed = {
        .key = message->key,
        .key_length = message->key == NULL ? 0 : strlen(message->key),
        .value = message->value,
        .value_length = message->value == NULL ? 0 : strlen(message->value),
        .headers = headers,
    };
    const bool ok = event_decode(&borrowed, event, err);
    rd_kafka_headers_destroy(headers);
    return ok;
}

static void expect_equal(const struct event *left, const struct event *right)
{
    assert_string_equal(left->source.text, right->source.text);
    assert_int_equal(left->sequence, right->sequence);
    assert_int_equal(left->a, right->a);
    assert_int_equal(left->b, right->b);
    assert_int_equal(left->sum, right->sum);
    assert_int_equal(left->accepted_unix_us, right->accepted_unix_us);
    assert_string_equal(left->context.traceparent, right->context.traceparent);
}

static void expect_accepted(const char *what, const struct message *message,
                            const struct event *want)
{
    struct event event;
    struct err err = {.text = ""};
    EXPECT(decode(message, &event, &err), "%s: refused: %s", what, err.text);
    expect_equal(&event, want);
}

static void expect_dead_letter(const char *what, const struct message *message)
{
    struct event event;
    struct err err = {.code = ERR_UNKNOWN, .text = ""};
    EXPECT(!decode(message, &event, &err), "%s: was accepted, must be a dead letter", what);
    EXPECT(err.code == ERR_INVALID, "%s: code %s, want invalid", what, err_name(err.code));
    EXPECT(err.text[0] != '\0', "%s: no reason is given", what);
}

// --- encode ---
static const char *header_text(const rd_kafka_headers_t *headers, const char *name, char *out,
                               size_t bytes)
{
    const void *value;
    size_t length;
    if (rd_kafka_header_get_last(headers, name, &value, &length) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    snprintf(out, bytes, "%.*s", (int)length, (const char *)value);
    return out;
}

static void an_event_is_written_as_the_contract_says(void **state)
{
    (void)state;
    struct event_value value;
    rd_kafka_headers_t *headers = NULL;
    event_encode(&five, &value, &headers);
    assert_int_equal(value.length, strlen(value.text));
    const struct message want = good_message();
    assert_string_equal(value.text, want.value);
    assert_int_equal(rd_kafka_header_cnt(headers), want.count);
    for (size_t i = 0; i < want.count; i++) {
        char text[200];
        const char *got = header_text(headers, want.headers[i].name, text, sizeof(text));
        EXPECT(got != NULL, "header %s is missing", want.headers[i].name);
        assert_string_equal(got, want.headers[i].value);
    }
    rd_kafka_headers_destroy(headers);
}

static void without_a_context_there_is_no_traceparent(void **state)
{
    (void)state;
    struct event event = five;
    event.context.traceparent[0] = '\0';
    struct event_value value;
    rd_kafka_headers_t *headers = NULL;
    event_encode(&event, &value, &headers);
    char text[200];
    assert_null(header_text(headers, "traceparent", text, sizeof(text)));
    assert_null(header_text(headers, "ce_traceparent", text, sizeof(text)));
    rd_kafka_headers_destroy(headers);
}

static void round_trip(const struct event *event)
{
    struct event_value value;
    rd_kafka_headers_t *headers = NULL;
    event_encode(event, &value, &headers);
    const struct event_message message = {
        .key = event->source.text,
        .key_length = UUID_LENGTH,
        .value = value.text,
        .value_length = value.length,
        .headers = headers,
    };
    struct event back;
    struct err err = {.text = ""};
    EXPECT(event_decode(&message, &back, &err), "%s: %s", value.text, err.text);
    expect_equal(&back, event);
    rd_kafka_headers_destroy(headers);
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    static const struct {
        int64_t a, b, sequence, accepted_unix_us;
    } table[] = {
        {0, 0, 1, 0},
        {-1, 1, 2, 1},
        {INT64_MAX, 0, INT64_MAX, INT64_C(253402300799999999)},
        {INT64_MIN, 0, INT64_C(1000000000000000000), 1},
        {INT64_MAX, INT64_MIN, 3, 1},
        {INT64_MIN / 2, INT64_MIN / 2, 3, 1}, // the longest value
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct event event = {
            .source = uuid_random(),
            .sequence = table[i].sequence,
            .a = table[i].a,
            .b = table[i].b,
            .sum = table[i].a + table[i].b,
            .accepted_unix_us = table[i].accepted_unix_us,
        };
        round_trip(&event);
    }
}

static void a_thousand_random_events_survive_the_trip(void **state)
{
    (void)state;
    unsigned seed = 20260131;
    for (int i = 0; i < 1000; i++) {
        struct event event = five;
        event.a = ((int64_t)rand_r(&seed) << 31 | rand_r(&seed)) - (INT64_C(1) << 61);
        event.b = ((int64_t)rand_r(&seed) << 31 | rand_r(&seed)) - (INT64_C(1) << 61);
        event.sum = event.a + event.b;
        event.sequence = 1 + ((int64_t)rand_r(&seed) << 31 | rand_r(&seed));
        event.accepted_unix_us = (int64_t)rand_r(&seed) * 1000003;
        round_trip(&event);
    }
}

// --- decode ---
static void others_may_write_the_same_in_their_own_way(void **state)
{
    (void)state;
    static const char *const values[] = {
        "{\"a\":\"2\",\"b\":\"3\",\"sum\":\"5\"}",
        "{\"sum\":\"5\",\"b\":\"3\",\"a\":\"2\"}",
        " { \"a\" : \"2\" ,\n\t\"b\":\"3\",\"sum\":\"5\" } \n",
        "{\"a\":2,\"b\":3,\"sum\":5}", // ProtoJSON parsers take numbers too
        "{\"a\":\"2\",\"b\":\"3\",\"sum\":\"5\",\"note\":{\"x\":[1,null,\"\\u00e4\"]}}",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct message message = good_message();
        message.value = values[i];
        expect_accepted(values[i], &message, &five);
    }
}

static void a_field_that_is_left_out_is_zero(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t a, b, sum;
    } table[] = {
        {"{}", 0, 0, 0},
        {"{\"a\":\"7\",\"sum\":\"7\"}", 7, 0, 7},
        {"{\"a\":\"7\",\"b\":\"-7\"}", 7, -7, 0},
        {"{\"a\":null,\"b\":\"1\",\"sum\":\"1\"}", 0, 1, 1},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct message message = good_message();
        message.value = table[i].value;
        struct event want = five;
        want.a = table[i].a;
        want.b = table[i].b;
        want.sum = table[i].sum;
        expect_accepted(table[i].value, &message, &want);
    }
}

static void unknown_headers_are_ignored(void **state)
{
    (void)state;
    struct message message = good_message();
    message.headers[message.count++] = (struct header){"ce_partitionkey", "x"};
    message.headers[message.count++] = (struct header){"x-empty", NULL};
    expect_accepted("two more headers", &message, &five);
}

static void a_bad_or_missing_traceparent_only_loses_the_trace(void **state)
{
    (void)state;
    struct event want = five;
    want.context.traceparent[0] = '\0';
    struct message message = good_message();
    find(&message, "traceparent")->value = "00-junk";
    find(&message, "ce_traceparent")->value = "00-junk";
    expect_accepted("a bad traceparent", &message, &want);
    message.count -= 2;
    expect_accepted("no traceparent", &message, &want);
}

static void a_dead_letter_keeps_its_context(void **state)
{
    (void)state;
    struct message message = good_message();
    message.headers[0].value = "0.3"; // the first rule of all
    struct event event = {.sequence = 1};
    struct err err;
    assert_false(decode(&message, &event, &err));
    assert_string_equal(event.context.traceparent, TRACEPARENT);
    message.count -= 2;
    assert_false(decode(&message, &event, &err));
    assert_string_equal(event.context.traceparent, "");
}

static void a_wrong_header_makes_a_dead_letter(void **state)
{
    (void)state;
    static const struct header table[] = {
        {"ce_specversion", "0.3"},
        {"ce_specversion", ""},
        {"ce_type", "abacus.v1.Removed"},
        {"ce_type", "abacus.v1.Added2"},
        {"ce_type", NULL},
        {"ce_source", "/abacus/adder/"},
        {"ce_source", "/other/" SOURCE},
        {"ce_source", EVENT_SOURCE_PREFIX "11111111-89ab-4def-8123-456789abcdef"},
        {"ce_source", EVENT_SOURCE_PREFIX "not-a-uuid"},
        {"ce_id", SOURCE "/43"},
        {"ce_id", SOURCE "/"},
        {"ce_id", SOURCE "/42x"},
        {"ce_id", "11111111-89ab-4def-8123-456789abcdef/42"},
        {"ce_id", ""},
        {"ce_sequence", "0000000000000000043"},
        {"ce_sequence", "0000000000000000000"},
        {"ce_sequence", "-000000000000000042"},
        {"ce_sequence", "42"},
        {"ce_sequence", "00000000000000000042"},
        {"ce_sequence", "9999999999999999999"},
        {"ce_sequence", "000000000000000004x"},
        {"ce_time", "yesterday"},
        {"ce_time", ""},
        {"ce_time", "9999-12-31T23:59:59-00:01"},
        {"content-type", "text/plain"},
        {"content-type", "application/cloudevents+json"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct message message = good_message();
        find(&message, table[i].name)->value = table[i].value;
        char what[200];
        snprintf(what, sizeof(what), "%s: %s", table[i].name,
                 table[i].value == NULL ? "(none)" : table[i].value);
        expect_dead_letter(what, &message);
    }
}

static void a_missing_header_makes_a_dead_letter(void **state)
{
    (void)state;
    static const char *const required[] = {"ce_specversion", "ce_id", "ce_source", "ce_type",
                                           "ce_sequence"};
    for (size_t i = 0; i < COUNT_OF(required); i++) {
        struct message message = good_message();
        find(&message, required[i])->name = "x-renamed";
        expect_dead_letter(required[i], &message);
    }
    struct err err;
    struct event event;
    const struct event_message bare = {
        .key = SOURCE, .key_length = 36, .value = "{}", .value_length = 2};
    assert_false(event_decode(&bare, &event, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void a_wrong_key_makes_a_dead_letter(void **state)
{
    (void)state;
    static const char *const keys[] = {NULL, "", "x", "11111111-89ab-4def-8123-456789abcdef",
                                       SOURCE " "};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct message message = good_message();
        message.key = keys[i];
        expect_dead_letter(keys[i] == NULL ? "no key" : keys[i], &message);
    }
}

static void a_wrong_value_makes_a_dead_letter(void **state)
{
    (void)state;
    static const char *const values[] = {
        NULL,
        "",
        "null",
        "[]",
        "\"5\"",
        "{",
        "{\"a\":\"2\",\"b\":\"3\",\"sum\":\"5\"",
        "{\"a\":\"2\",\"b\":\"3\",\"sum\":\"5\"}x",
        "{\"a\":\"2\",\"b\":\"3\",\"sum\":\"6\"}", // not a + b
        "{\"a\":\"2\",\"b\":\"3\"}",
        "{\"a\":\"2.5\",\"b\":\"3\",\"sum\":\"5\"}",
        "{\"a\":2.5,\"b\":2.5,\"sum\":5}",
        "{\"a\":\"\",\"b\":\"5\",\"sum\":\"5\"}",
        "{\"a\":\"two\",\"b\":\"3\",\"sum\":\"5\"}",
        "{\"a\":[2],\"b\":\"3\",\"sum\":\"5\"}",
        "{\"a\":true,\"b\":\"4\",\"sum\":\"5\"}",
        "{\"a\":\"9223372036854775808\",\"b\":\"0\",\"sum\":\"9223372036854775808\"}",
        // a + b leaves 64 bits: wrapping round would make it look right
        "{\"a\":\"9223372036854775807\",\"b\":\"1\",\"sum\":\"-9223372036854775808\"}",
        "{\"a\":\"-9223372036854775808\",\"b\":\"-1\",\"sum\":\"9223372036854775807\"}",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct message message = good_message();
        message.value = values[i];
        expect_dead_letter(values[i] == NULL ? "no value" : values[i], &message);
    }
}

static void a_value_that_is_deep_or_long_is_refused_not_fatal(void **state)
{
    (void)state;
    static char deep[200001];
    memset(deep, '[', sizeof(deep) - 1);
    struct message message = good_message();
    message.value = deep;
    expect_dead_letter("200,000 brackets", &message);
    memset(deep, '9', sizeof(deep) - 1);
    expect_dead_letter("200,000 digits", &message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_written_as_the_contract_says),
        cmocka_unit_test(without_a_context_there_is_no_traceparent),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(a_thousand_random_events_survive_the_trip),
        cmocka_unit_test(others_may_write_the_same_in_their_own_way),
        cmocka_unit_test(a_field_that_is_left_out_is_zero),
        cmocka_unit_test(unknown_headers_are_ignored),
        cmocka_unit_test(a_bad_or_missing_traceparent_only_loses_the_trace),
        cmocka_unit_test(a_dead_letter_keeps_its_context),
        cmocka_unit_test(a_wrong_header_makes_a_dead_letter),
        cmocka_unit_test(a_missing_header_makes_a_dead_letter),
        cmocka_unit_test(a_wrong_key_makes_a_dead_letter),
        cmocka_unit_test(a_wrong_value_makes_a_dead_letter),
        cmocka_unit_test(a_value_that_is_deep_or_long_is_refused_not_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
