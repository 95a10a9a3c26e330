// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_line.h"

#include "base/bytes.h"
#include "base/int128.h"

#include <string.h>

// What a trace is looked at for, in the order in which it is shown.
static const struct {
    const char *key, *word;
} notable[] = {
    {"abacus.sequence", "sequence"},
    {"abacus.verdict", "verdict"},
    {"messaging.destination.partition.id", "partition"},
    {"messaging.kafka.offset", "offset"},
    {"db.operation.batch.size", "batch"},
    {"messaging.batch.message_count", "messages"},
    {"http.response.status_code", "status"},
    {"error.type", "error"},
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t integer_of(const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t number;
    if (text != NULL)
        return int64_parse(text, strlen(text), &number) ? number : 0;
    return json_integer_value(value);
}

static const json_t *attribute(const json_t *attributes, const char *key)
{
    size_t index;
    const json_t *pair;
    json_array_foreach(attributes, index, pair) {
        if (strcmp(text_of(pair, "key"), key) == 0)
            return json_object_get(pair, "value");
    }
    return NULL;
}

bool otlp_span_links_to(const struct otlp_span *span, const char *trace_id)
{
    size_t index;
    const json_t *link;
    json_array_foreach(span->links, index, link) {
        if (strcmp(text_of(link, "traceId"), trace_id) == 0)
            return true;
    }
    return false;
}

static void append_value(struct bytes *notes, const json_t *value)
{
    const json_t *integer = json_object_get(value, "intValue");
    if (integer != NULL)
        bytes_printf(notes, "%lld", (long long)integer_of(integer));
    else
        bytes_append_text(notes, text_of(value, "stringValue"));
}

char *otlp_span_notes(const struct otlp_span *span)
{
    struct bytes notes = {0};
    bytes_append_text(&notes, "");
    for (size_t i = 0; i < COUNT_OF(notable); i++) {
        const json_t *value = attribute(span->attributes, notable[i].key);
        if (value == NULL)
            continue;
        bytes_printf(&notes, "%s%s ", notes.length == 0 ? "" : ", ", notable[i].word);
        append_value(&notes, value);
    }
    return (char *)notes.data;
}

static bool is_id(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static bool span_read(struct otlp_span *span, const json_t *json, const char *service)
{
    const json_t *status = json_object_get(json, "status");
    const bool failed = integer_of(json_object_get(status, "code")) == 2; // STATUS_CODE_ERROR
    *span = (struct otlp_span){
        .trace_id = text_of(json, "traceId"),
        .span_id = text_of(json, "spanId"),
        .parent_id = text_of(json, "parentSpanId"),
        .name = text_of(json, "name"),
        .service = service,
        .kind = (int)integer_of(json_object_get(json, "kind")),
        .begin_unix_ns = integer_of(json_object_get(json, "startTimeUnixNano")),
        .end_unix_ns = integer_of(json_object_get(json, "endTimeUnixNano")),
        .error = failed ? text_of(status, "message") : NULL,
        .attributes = json_object_get(json, "attributes"),
        .links = json_object_get(json, "links"),
    };
    return is_id(span->trace_id, TRACE_ID_LENGTH) && is_id(span->span_id, SPAN_ID_LENGTH) &&
           (span->parent_id[0] == '\0' || is_id(span->parent_id, SPAN_ID_LENGTH)) &&
           span->begin_unix_ns >= 0 && span->end_unix_ns >= span->begin_unix_ns;
}

bool trace_line_read(const char *line, size_t length,
                     void (*on_span)(const struct otlp_span *span, void *ctx), void *ctx)
{
    json_t *document = json_loadb(line, length, 0, NULL);
    const bool ok = json_is_object(document);
    size_t r, s, i;
    const json_t *resource, *scope, *json;
    json_array_foreach(json_object_get(document, "resourceSpans"), r, resource) {
        const json_t *of = json_object_get(json_object_get(resource, "resource"), "attributes");
        const char *service = text_of(attribute(of, "service.name"), "stringValue");
        json_array_foreach(json_object_get(resource, "scopeSpans"), s, scope) {
            json_array_foreach(json_object_get(scope, "spans"), i, json) {
                struct otlp_span span;
                if (span_read(&span, json, service))
                    on_span(&span, ctx);
            }
        }
    }
    json_decref(document);
    return ok;
}
