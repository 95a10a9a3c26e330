// SPDX-License-Identifier: Apache-2.0
// Everything the relay sends passes here, so numbers are written by hand and names carry their
// lengths: one event is a few hundred nanoseconds, most of them librdkafka's.
#include "event/event.h"

#include "base/clock.h"
#include "event/attributes.h"

#include <assert.h>
#include <string.h>

// The longest value: three numbers and {"a":"","b":"","sum":""}.
static_assert(3 * (INT64_TEXT_BYTES - 1) + 24 < EVENT_VALUE_BYTES, "a value fits");

#define SOURCE_BYTES (sizeof(EVENT_SOURCE_PREFIX) + UUID_LENGTH)

static const struct {
    const char *text;
    ssize_t length;
} names[ATTRIBUTE_COUNT] = {
#define ATTRIBUTE_ROW(id, name) [ATTRIBUTE_##id] = {name, sizeof(name) - 1},
    ATTRIBUTES(ATTRIBUTE_ROW)
#undef ATTRIBUTE_ROW
};

static void add(rd_kafka_headers_t *headers, enum attribute attribute, const char *value,
                size_t length)
{
    const rd_kafka_resp_err_t code = rd_kafka_header_add(
        headers, names[attribute].text, names[attribute].length, value, (ssize_t)length);
    CHECK_INT(code, ==, RD_KAFKA_RESP_ERR_NO_ERROR); // it fails on read-only headers only
}

#define ADD_LITERAL(headers, attribute, literal) \
    add(headers, attribute, literal, sizeof(literal) - 1)

static char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

static char *put_field(char *at, const char *before, size_t length, int64_t number)
{
    at = put(at, before, length);
    return at + int64_format(at, number);
}

#define PUT_FIELD(at, literal, number) put_field(at, literal, sizeof(literal) - 1, number)

// ProtoJSON writes 64-bit integers as strings.
static void write_value(struct event_value *value, const struct event *event)
{
    char *at = value->text;
    at = PUT_FIELD(at, "{\"a\":\"", event->a);
    at = PUT_FIELD(at, "\",\"b\":\"", event->b);
    at = PUT_FIELD(at, "\",\"sum\":\"", event->sum);
    at = put(at, "\"}", sizeof("\"}"));
    value->length = (size_t)(at - value->text) - 1; // without the NUL
}

size_t event_id_format(char out[EVENT_ID_BYTES], const struct uuid *source, int64_t sequence)
{
    char *at = put(out, source->text, UUID_LENGTH);
    *at++ = '/';
    at += int64_format(at, sequence);
    return (size_t)(at - out);
}

static void add_identity(rd_kafka_headers_t *headers, const struct event *event)
{
    char id[EVENT_ID_BYTES], source[SOURCE_BYTES];
    add(headers, ATTRIBUTE_ID, id, event_id_format(id, &event->source, event->sequence));
    char *at = put(source, EVENT_SOURCE_PREFIX, sizeof(EVENT_SOURCE_PREFIX) - 1);
    at = put(at, event->source.text, UUID_LENGTH);
    add(headers, ATTRIBUTE_SOURCE, source, (size_t)(at - source));
}

static void add_sequence(rd_kafka_headers_t *headers, int64_t sequence)
{
    char digits[EVENT_SEQUENCE_DIGITS];
    for (int i = EVENT_SEQUENCE_DIGITS - 1; i >= 0; i--, sequence /= 10)
        digits[i] = (char)('0' + sequence % 10);
    add(headers, ATTRIBUTE_SEQUENCE, digits, sizeof(digits));
}

void event_encode(const struct event *event, struct event_value *value,
                  rd_kafka_headers_t **headers)
{
    CHECK_INT(event->sequence, >=, 1);
    write_value(value, event);
    rd_kafka_headers_t *list = rd_kafka_headers_new(ATTRIBUTE_COUNT);
    ADD_LITERAL(list, ATTRIBUTE_SPECVERSION, EVENT_SPECVERSION);
    add_identity(list, event);
    ADD_LITERAL(list, ATTRIBUTE_TYPE, EVENT_TYPE);
    char time[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(time, event->accepted_unix_us);
    add(list, ATTRIBUTE_TIME, time, sizeof(time) - 1);
    add_sequence(list, event->sequence);
    ADD_LITERAL(list, ATTRIBUTE_CONTENT_TYPE, EVENT_CONTENT_TYPE);
    if (event->context.traceparent[0] != '\0') {
        add(list, ATTRIBUTE_TRACEPARENT, event->context.traceparent, TRACEPARENT_LENGTH);
        add(list, ATTRIBUTE_CE_TRACEPARENT, event->context.traceparent, TRACEPARENT_LENGTH);
    }
    *headers = list;
}
