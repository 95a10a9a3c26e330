// SPDX-License-Identifier: Apache-2.0
// What is encoded is read back by protobuf-c here, and by OpenTelemetry's own messages in
// tests/system/test_otlp.py.
#include "telemetry/otlp.h"

#include "unit.h"

#include "trace_subset.pb-c.h"

#include <stdlib.h>
#include <string.h>

static struct trace_context context_of(const char *text)
{
    struct trace_context context;
    EXPECT(trace_context_parse(text, strlen(text), &context), "%s: no traceparent", text);
    return context;
}

static struct span small_span(void)
{
    return (struct span){
        .name = "work",
        .kind = SPAN_SERVER,
        .context = context_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
        .begin_unix_us = 1,
        .end_unix_us = 2,
    };
}

static Abacus__Otlp__Span *round_trip(const struct span *span)
{
    struct span_bytes *bytes = otlp_span(span);
    Abacus__Otlp__Span *read = abacus__otlp__span__unpack(NULL, bytes->length, bytes->data);
    assert_non_null(read);
    free(bytes);
    return read;
}

static void a_span_has_what_was_filled_in(void **state)
{
    (void)state;
    const struct trace_context links[] = {
        context_of("00-11111111111111111111111111111111-2222222222222222-01"),
        context_of("00-33333333333333333333333333333333-4444444444444444-00"),
    };
    struct span span = small_span();
    span.parent = context_of("00-4bf92f3577b34da6a3ce929d0e0e4736-aaaaaaaaaaaaaaaa-01");
    span.parent_remote = true;
    span.links = links;
    span.links_count = COUNT_OF(links);
    span_text(&span, "rpc.method", "a.B/C");
    span_text(&span, "left.out", "");
    span_text(&span, "left.out", NULL);
    span_number(&span, "zero", 0);
    span_number(&span, "negative", -5);
    Abacus__Otlp__Span *read = round_trip(&span);
    assert_int_equal(read->trace_id.len, 16);
    assert_memory_equal(read->trace_id.data, "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6", 8);
    assert_int_equal(read->span_id.len, 8);
    assert_memory_equal(read->span_id.data, "\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8);
    assert_memory_equal(read->parent_span_id.data, "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa", 8);
    assert_string_equal(read->name, "work");
    assert_int_equal(read->kind, 2);
    assert_int_equal(read->start_time_unix_nano, 1000);
    assert_int_equal(read->end_time_unix_nano, 2000);
    assert_int_equal(read->flags, 0x303);
    assert_null(read->status);
    assert_int_equal(read->n_attributes, 3);
    assert_string_equal(read->attributes[0]->value->string_value, "a.B/C");
    assert_int_equal(read->attributes[1]->value->value_case,
                     ABACUS__OTLP__ANY_VALUE__VALUE_INT_VALUE);
    assert_int_equal(read->attributes[1]->value->int_value, 0);
    assert_int_equal(read->attributes[2]->value->int_value, -5);
    assert_int_equal(read->n_links, 2);
    assert_memory_equal(read->links[0]->span_id.data, "\x22\x22\x22\x22\x22\x22\x22\x22", 8);
    assert_int_equal(read->links[0]->flags, 0x301);
    assert_int_equal(read->links[1]->flags, 0x300);
    abacus__otlp__span__free_unpacked(read, NULL);
}

static void a_root_has_no_parent_and_an_error_has_a_status(void **state)
{
    (void)state;
    static const struct {
        const char *error, *message;
    } table[] = {{"no disk", "no disk"}, {"", ""}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct span span = small_span();
        span.error = table[i].error;
        Abacus__Otlp__Span *read = round_trip(&span);
        assert_int_equal(read->parent_span_id.len, 0);
        assert_int_equal(read->flags, 0x103);
        assert_int_equal(read->status->code, 2);
        assert_string_equal(read->status->message, table[i].message);
        abacus__otlp__span__free_unpacked(read, NULL);
    }
}

static void texts_become_short_utf8(void **state)
{
    (void)state;
    char longest[OTLP_TEXT_MAX + 3], uneven[OTLP_TEXT_MAX + 3];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memset(uneven, 'x', sizeof(uneven));
    memcpy(uneven + OTLP_TEXT_MAX - 1, "\xc3\xa4", 3); // its last character would be cut in two
    const struct {
        const char *text, *kept;
        size_t length;
    } table[] = {
        {"plain", "plain", 5},
        {"\xc3\xa4", "\xc3\xa4", 2},
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b",
         5},
        {"\xc3", "\xef\xbf\xbd", 3},
        {longest, "xxx", OTLP_TEXT_MAX},
        {uneven, "xxx", OTLP_TEXT_MAX - 1},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct span span = small_span();
        span.name = span.error = table[i].text;
        span_text(&span, "key", table[i].text);
        Abacus__Otlp__Span *read = round_trip(&span);
        const char *const got[] = {read->name, read->status->message,
                                   read->attributes[0]->value->string_value};
        for (size_t k = 0; k < COUNT_OF(got); k++)
            EXPECT(strlen(got[k]) == table[i].length &&
                       strncmp(got[k], table[i].kept, strlen(table[i].kept)) == 0,
                   "row %zu: \"%s\" of %zu bytes", i, got[k], strlen(got[k]));
        abacus__otlp__span__free_unpacked(read, NULL);
    }
}

static void a_request_carries_resource_scope_and_all_spans(void **state)
{
    (void)state;
    struct span span = small_span();
    struct span_bytes *second = otlp_span(&span);
    span.name = "first";
    struct span_bytes *first = otlp_span(&span);
    first->next = second;
    struct otel_list resource = {.count = 0};
    assert_true(otel_list_set(&resource, "service.name", "x"));
    struct bytes bytes = {0};
    otlp_request(&bytes, &resource, first);
    Abacus__Otlp__Request *read = abacus__otlp__request__unpack(NULL, bytes.length, bytes.data);
    assert_non_null(read);
    const Abacus__Otlp__ResourceSpans *spans = read->resource_spans[0];
    assert_int_equal(read->n_resource_spans, 1);
    assert_string_equal(spans->schema_url, OTLP_SCHEMA_URL);
    assert_string_equal(spans->resource->attributes[0]->key, "service.name");
    assert_string_equal(spans->resource->attributes[0]->value->string_value, "x");
    assert_int_equal(spans->n_scope_spans, 1);
    assert_string_equal(spans->scope_spans[0]->scope->name, "abacus");
    assert_int_equal(spans->scope_spans[0]->n_spans, 2);
    assert_int_equal(spans->scope_spans[0]->spans[0].len, first->length);
    assert_memory_equal(spans->scope_spans[0]->spans[0].data, first->data, first->length);
    assert_memory_equal(spans->scope_spans[0]->spans[1].data, second->data, second->length);
    abacus__otlp__request__free_unpacked(read, NULL);
    otel_list_clear(&resource);
    bytes_clear(&bytes);
    free(second);
    free(first);
}

static void an_answer_says_how_many_were_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t length;
        bool valid;
        int64_t rejected;
        const char *message;
    } table[] = {
        {"", 0, true, 0, ""},
        {"\x0a\x00", 2, true, 0, ""},
        {"\x0a\x02\x08\x05", 4, true, 5, ""},
        {"\x0a\x06\x08\x05\x12\x02no", 8, true, 5, "no"},
        {"\x0a\x04\x12\x02hm", 6, true, 0, "hm"}, // a warning
        {"<!DOCTYPE html>", 15, false, 0, ""},
        {"\x0a\x09\x08", 3, false, 0, ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes body = {0};
        struct otlp_response response;
        bytes_append(&body, table[i].body, table[i].length);
        EXPECT(otlp_response(&body, &response) == table[i].valid, "row %zu: valid is %d", i,
               !table[i].valid);
        EXPECT(response.rejected == table[i].rejected, "row %zu: %d rejected", i,
               (int)response.rejected);
        assert_string_equal(response.message, table[i].message);
        bytes_clear(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_has_what_was_filled_in),
        cmocka_unit_test(a_root_has_no_parent_and_an_error_has_a_status),
        cmocka_unit_test(texts_become_short_utf8),
        cmocka_unit_test(a_request_carries_resource_scope_and_all_spans),
        cmocka_unit_test(an_answer_says_how_many_were_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
