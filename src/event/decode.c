// SPDX-License-Identifier: Apache-2.0
// Nothing in a message is believed: each rule that does not hold makes it a dead letter, with the
// rule as the reason. Our own encoding takes a short way through the value; everything else that
// means the same (numbers for strings, other orders, more fields) goes through a JSON parser.
#include "event/event.h"

#include "base/clock.h"
#include "base/int128.h"
#include "event/attributes.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

// CloudEvents §4 "Size limits": every hop must take 64 KiB. How deep JSON may nest is jansson's
// own limit (2048), which its parser needs less than a thread's stack for.
#define VALUE_BYTES_MAX ((size_t)64 * 1024)

struct text {
    const char *at; // NULL: absent
    size_t length;
};

static const char *const names[ATTRIBUTE_COUNT] = {
#define ATTRIBUTE_ROW(id, name) [ATTRIBUTE_##id] = name,
    ATTRIBUTES(ATTRIBUTE_ROW)
#undef ATTRIBUTE_ROW
};

static bool dead(struct err *err, enum attribute attribute, struct text got, const char *rule)
{
    if (got.at == NULL)
        return err_set(err, ERR_INVALID, "header %s is missing", names[attribute]);
    return err_set(err, ERR_INVALID, "header %s is \"%.*s\", %s", names[attribute],
                   (int)(got.length < 80 ? got.length : 80), got.at, rule);
}

static bool is(struct text text, const char *want, size_t length)
{
    return text.at != NULL && text.length == length && memcmp(text.at, want, length) == 0;
}

#define IS_LITERAL(text, literal) is(text, literal, sizeof(literal) - 1)

// --- headers ---

// Our messages have them in the order of the table, so the search begins after the last hit.
static enum attribute find(const char *name, enum attribute after)
{
    for (int i = 1; i <= ATTRIBUTE_COUNT; i++) {
        const enum attribute candidate = (enum attribute)(((int)after + i) % ATTRIBUTE_COUNT);
        if (strcmp(name, names[candidate]) == 0)
            return candidate;
    }
    return ATTRIBUTE_COUNT;
}

static void collect(const rd_kafka_headers_t *headers, struct text found[ATTRIBUTE_COUNT])
{
    if (headers == NULL)
        return;
    enum attribute last = ATTRIBUTE_COUNT - 1;
    const char *name;
    const void *value;
    size_t length;
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        const enum attribute attribute = find(name, last);
        if (attribute == ATTRIBUTE_COUNT)
            continue;
        found[attribute] = (struct text){value, length};
        last = attribute;
    }
}

static bool check_kind(const struct text found[ATTRIBUTE_COUNT], struct err *err)
{
    if (!IS_LITERAL(found[ATTRIBUTE_SPECVERSION], EVENT_SPECVERSION))
        return dead(err, ATTRIBUTE_SPECVERSION, found[ATTRIBUTE_SPECVERSION],
                    "must be " EVENT_SPECVERSION);
    if (!IS_LITERAL(found[ATTRIBUTE_TYPE], EVENT_TYPE))
        return dead(err, ATTRIBUTE_TYPE, found[ATTRIBUTE_TYPE], "must be " EVENT_TYPE);
    const struct text content = found[ATTRIBUTE_CONTENT_TYPE];
    const size_t length = sizeof(EVENT_CONTENT_TYPE) - 1;
    const bool json =
        content.at == NULL ||
        (content.length >= length && strncasecmp(content.at, EVENT_CONTENT_TYPE, length) == 0 &&
         (content.length == length || content.at[length] == ';'));
    return json || dead(err, ATTRIBUTE_CONTENT_TYPE, content, "must be " EVENT_CONTENT_TYPE);
}

static bool read_source(struct text text, struct uuid *source, struct err *err)
{
    const size_t prefix = sizeof(EVENT_SOURCE_PREFIX) - 1;
    if (text.at == NULL || text.length != prefix + UUID_LENGTH ||
        memcmp(text.at, EVENT_SOURCE_PREFIX, prefix) != 0 ||
        !uuid_parse(text.at + prefix, UUID_LENGTH, source))
        return dead(err, ATTRIBUTE_SOURCE, text, "must be " EVENT_SOURCE_PREFIX "<UUID>");
    return true;
}

static bool read_sequence(struct text text, int64_t *sequence, struct err *err)
{
    if (text.at == NULL || text.length != EVENT_SEQUENCE_DIGITS ||
        !int64_parse(text.at, text.length, sequence) || *sequence < 1)
        return dead(err, ATTRIBUTE_SEQUENCE, text, "must be 19 digits, 1 or more");
    return true;
}

// One event has one id: what is said twice must agree.
static bool check_id(struct text id, const struct event *event, struct err *err)
{
    char want[EVENT_ID_BYTES];
    const size_t length = event_id_format(want, &event->source, event->sequence);
    return is(id, want, length) || dead(err, ATTRIBUTE_ID, id, "must be <source>/<sequence>");
}

static bool read_time(struct text text, int64_t *unix_us, struct err *err)
{
    *unix_us = 0; // CloudEvents §3.1: time is optional
    if (text.at == NULL || clock_parse_rfc3339(text.at, text.length, unix_us))
        return true;
    return dead(err, ATTRIBUTE_TIME, text, "must be RFC 3339");
}

// A context only helps to watch: a bad one is left out. The protocol's own header comes first,
// since that is what tools on the way rewrite.
static void read_context(const struct text found[ATTRIBUTE_COUNT], struct trace_context *out)
{
    const struct text hop = found[ATTRIBUTE_TRACEPARENT], first = found[ATTRIBUTE_CE_TRACEPARENT];
    out->traceparent[0] = '\0';
    if (hop.at != NULL && trace_context_parse(hop.at, hop.length, out))
        return;
    if (first.at != NULL)
        (void)trace_context_parse(first.at, first.length, out);
}

// --- value ---

// Takes `before`, then the digits up to the next quote.
static bool take_field(struct text *rest, const char *before, size_t length, int64_t *number)
{
    if (rest->length < length || memcmp(rest->at, before, length) != 0)
        return false;
    const char *first = rest->at + length;
    const char *quote = memchr(first, '"', rest->length - length);
    if (quote == NULL || !int64_parse(first, (size_t)(quote - first), number))
        return false;
    rest->length -= (size_t)(quote - rest->at);
    rest->at = quote;
    return true;
}

#define TAKE_FIELD(rest, literal, number) take_field(rest, literal, sizeof(literal) - 1, number)

// Exactly what encode.c writes. False says nothing about the value but that.
static bool read_own_value(struct text rest, struct event *event)
{
    return TAKE_FIELD(&rest, "{\"a\":\"", &event->a) &&
           TAKE_FIELD(&rest, "\",\"b\":\"", &event->b) &&
           TAKE_FIELD(&rest, "\",\"sum\":\"", &event->sum) && IS_LITERAL(rest, "\"}");
}

// ProtoJSON: a 64-bit integer is a string, a number is accepted too; null and absent mean zero.
static bool read_field(const json_t *object, const char *name, int64_t *number, struct err *err)
{
    const json_t *field = json_object_get(object, name);
    *number = 0;
    if (field == NULL || json_is_null(field))
        return true;
    if (json_is_integer(field)) {
        *number = json_integer_value(field);
        return true;
    }
    if (json_is_string(field) &&
        int64_parse(json_string_value(field), json_string_length(field), number))
        return true;
    return err_set(err, ERR_INVALID, "field \"%s\" is not a 64-bit integer", name);
}

static bool read_any_value(struct text value, struct event *event, struct err *err)
{
    if (value.length > VALUE_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the value has %zu bytes, at most %zu", value.length,
                       VALUE_BYTES_MAX);
    json_error_t error;
    // Two fields of one name mean different things to different readers.
    json_t *object = json_loadb(value.at, value.length, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL)
        return err_set(err, ERR_INVALID, "the value is not JSON: %s", error.text);
    const bool ok = json_is_object(object)
                        ? read_field(object, "a", &event->a, err) &&
                              read_field(object, "b", &event->b, err) &&
                              read_field(object, "sum", &event->sum, err)
                        : err_set(err, ERR_INVALID, "the value is not a JSON object");
    json_decref(object);
    return ok;
}

static bool read_value(struct text value, struct event *event, struct err *err)
{
    if (value.at == NULL)
        return err_set(err, ERR_INVALID, "the message has no value");
    if (!read_own_value(value, event) && !read_any_value(value, event, err))
        return false;
    int64_t sum;
    if (__builtin_add_overflow(event->a, event->b, &sum) || sum != event->sum)
        return err_set(err, ERR_INVALID, "sum is not a + b");
    return true;
}

bool event_decode(const struct event_message *message, struct event *event, struct err *err)
{
    struct text found[ATTRIBUTE_COUNT] = {{NULL, 0}};
    collect(message->headers, found);
    read_context(found, &event->context);
    if (!check_kind(found, err) || !read_source(found[ATTRIBUTE_SOURCE], &event->source, err) ||
        !read_sequence(found[ATTRIBUTE_SEQUENCE], &event->sequence, err) ||
        !check_id(found[ATTRIBUTE_ID], event, err) ||
        !read_time(found[ATTRIBUTE_TIME], &event->accepted_unix_us, err))
        return false;
    const struct text key = {message->key, message->key_length};
    if (!is(key, event->source.text, UUID_LENGTH))
        return err_set(err, ERR_INVALID, "the key is not the source id");
    return read_value((struct text){message->value, message->value_length}, event, err);
}
