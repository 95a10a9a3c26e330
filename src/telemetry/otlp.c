// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otlp.h"

#include "base/version.h"

#include "trace_subset.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES_MAX   (TRACE_ID_LENGTH / 2)
#define FLAGS_AT       53    // in a traceparent
#define FLAG_KNOWN     0x100 // whether it is remote is known
#define FLAG_REMOTE    0x200
#define STATUS_ERROR   2
#define NS_PER_UNIX_US 1000
#define TEXTS_MAX      (SPAN_ATTRIBUTES_MAX + 2) // and name, error message
#define REPLACEMENT    "\xef\xbf\xbd"            // U+FFFD

// --- texts ---
// What cannot be sent as it is has a copy, which lives as long as the encoding.
struct texts {
    char *owned[TEXTS_MAX];
    size_t count;
};

// The well-formed beginning that is short enough.
static size_t good_length(const char *text, size_t length)
{
    size_t good = 0, step;
    while (good < length &&
           (step = bytes_utf8_length((const uint8_t *)text + good, length - good)) > 0 &&
           good + step <= OTLP_TEXT_MAX)
        good += step;
    return good;
}

static char *text_repair(const char *text, size_t length)
{
    struct bytes out = {0};
    bytes_append_text(&out, "");
    while (length > 0) {
        size_t step = bytes_utf8_length((const uint8_t *)text, length);
        const char *piece = step == 0 ? REPLACEMENT : text;
        const size_t piece_length = step == 0 ? strlen(REPLACEMENT) : step;
        if (out.length + piece_length > OTLP_TEXT_MAX)
            break;
        bytes_append(&out, piece, piece_length);
        step = step == 0 ? 1 : step;
        text += step, length -= step;
    }
    return (char *)out.data;
}

static char *text_of(struct texts *texts, const char *text)
{
    const size_t length = strlen(text);
    if (good_length(text, length) == length)
        return (char *)(uintptr_t)text;
    CHECK_INT(texts->count, <, TEXTS_MAX);
    return texts->owned[texts->count++] = text_repair(text, length);
}

static void texts_clear(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->owned[i]);
}

// --- ids and flags ---
// digits: of a context that has been checked.
static ProtobufCBinaryData id_bytes(const char *digits, uint8_t *out)
{
    const size_t length = strlen(digits) / 2;
    for (size_t i = 0; i < length; i++)
        out[i] =
            (uint8_t)(hex_digit_value(digits[2 * i]) << 4 | hex_digit_value(digits[2 * i + 1]));
    return (ProtobufCBinaryData){length, out};
}

static uint32_t flags_of(const struct trace_context *context, bool remote)
{
    return (uint32_t)hex_digit_value(context->traceparent[FLAGS_AT + 1]) | FLAG_KNOWN |
           (remote ? (uint32_t)FLAG_REMOTE : 0);
}

// --- a span ---
struct attributes {
    Abacus__Otlp__KeyValue pairs[SPAN_ATTRIBUTES_MAX], *pointers[SPAN_ATTRIBUTES_MAX];
    Abacus__Otlp__AnyValue values[SPAN_ATTRIBUTES_MAX];
};

static void attributes_fill(struct attributes *out, struct texts *texts, const struct span *span)
{
    for (size_t i = 0; i < span->attributes_count; i++) {
        const struct span_attribute *attribute = &span->attributes[i];
        Abacus__Otlp__AnyValue *value = &out->values[i];
        abacus__otlp__any_value__init(value);
        if (attribute->text != NULL) {
            value->value_case = ABACUS__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
            value->string_value = text_of(texts, attribute->text);
        } else {
            value->value_case = ABACUS__OTLP__ANY_VALUE__VALUE_INT_VALUE;
            value->int_value = attribute->number;
        }
        abacus__otlp__key_value__init(&out->pairs[i]);
        out->pairs[i].key = (char *)(uintptr_t)attribute->key;
        out->pairs[i].value = value;
        out->pointers[i] = &out->pairs[i];
    }
}

struct link {
    Abacus__Otlp__Link message;
    uint8_t trace_id[TRACE_ID_LENGTH / 2], span_id[SPAN_ID_LENGTH / 2];
};

static void links_fill(struct link *out, Abacus__Otlp__Link **pointers, const struct span *span)
{
    for (size_t i = 0; i < span->links_count; i++) {
        const struct trace_ids ids = trace_context_ids(&span->links[i]);
        abacus__otlp__link__init(&out[i].message);
        out[i].message.trace_id = id_bytes(ids.trace_id, out[i].trace_id);
        out[i].message.span_id = id_bytes(ids.span_id, out[i].span_id);
        out[i].message.flags = flags_of(&span->links[i], true);
        pointers[i] = &out[i].message;
    }
}

static struct span_bytes *pack(const Abacus__Otlp__Span *message)
{
    const size_t length = abacus__otlp__span__get_packed_size(message);
    struct span_bytes *packed = xmalloc(sizeof(*packed) + length);
    packed->next = NULL;
    packed->length = abacus__otlp__span__pack(message, packed->data);
    CHECK_INT(packed->length, ==, length);
    return packed;
}

static struct span_bytes *encode(const struct span *span, struct texts *texts, struct link *links,
                                 Abacus__Otlp__Link **link_pointers)
{
    const struct trace_ids own = trace_context_ids(&span->context);
    const struct trace_ids parent = trace_context_ids(&span->parent);
    uint8_t trace_id[ID_BYTES_MAX], span_id[ID_BYTES_MAX], parent_id[ID_BYTES_MAX];
    struct attributes attributes;
    attributes_fill(&attributes, texts, span);
    links_fill(links, link_pointers, span);
    Abacus__Otlp__Status status = ABACUS__OTLP__STATUS__INIT;
    Abacus__Otlp__Span message = ABACUS__OTLP__SPAN__INIT;
    message.trace_id = id_bytes(own.trace_id, trace_id);
    message.span_id = id_bytes(own.span_id, span_id);
    message.parent_span_id = id_bytes(parent.span_id, parent_id);
    message.name = text_of(texts, span->name);
    message.kind = (int32_t)span->kind;
    message.start_time_unix_nano = (uint64_t)span->begin_unix_us * NS_PER_UNIX_US;
    message.end_time_unix_nano = (uint64_t)span->end_unix_us * NS_PER_UNIX_US;
    message.attributes = attributes.pointers;
    message.n_attributes = span->attributes_count;
    message.links = link_pointers;
    message.n_links = span->links_count;
    message.flags = flags_of(&span->context, span->parent_remote);
    if (span->error != NULL) {
        status.code = STATUS_ERROR;
        status.message = text_of(texts, span->error);
        message.status = &status;
    }
    return pack(&message);
}

struct span_bytes *otlp_span(const struct span *span)
{
    CHECK_INT(span->attributes_count, <=, SPAN_ATTRIBUTES_MAX);
    CHECK_INT(span->links_count, <=, SPAN_LINKS_MAX);
    struct texts texts = {.count = 0};
    // Not on the stack: most spans have one link or none, and what a stack once took it keeps.
    struct link *links = xcalloc(span->links_count, sizeof(*links));
    Abacus__Otlp__Link **pointers = xcalloc(span->links_count, sizeof(Abacus__Otlp__Link *));
    struct span_bytes *packed = encode(span, &texts, links, pointers);
    free(pointers);
    free(links);
    texts_clear(&texts);
    return packed;
}

// --- a request ---
static void scope_fill(Abacus__Otlp__ScopeSpans *out, Abacus__Otlp__Scope *scope,
                       const struct span_bytes *spans)
{
    scope->name = "abacus";
    scope->version = ABACUS_VERSION;
    out->scope = scope;
    out->schema_url = OTLP_SCHEMA_URL;
    size_t count = 0;
    for (const struct span_bytes *span = spans; span != NULL; span = span->next)
        count++;
    out->spans = xcalloc(count, sizeof(*out->spans));
    for (const struct span_bytes *span = spans; span != NULL; span = span->next)
        out->spans[out->n_spans++] =
            (ProtobufCBinaryData){span->length, (uint8_t *)(uintptr_t)span->data};
}

struct resource {
    Abacus__Otlp__Resource message;
    Abacus__Otlp__KeyValue pairs[OTEL_LIST_MAX], *pointers[OTEL_LIST_MAX];
    Abacus__Otlp__AnyValue values[OTEL_LIST_MAX];
};

static void resource_fill(struct resource *out, const struct otel_list *resource)
{
    abacus__otlp__resource__init(&out->message);
    for (size_t i = 0; i < resource->count; i++) {
        abacus__otlp__any_value__init(&out->values[i]);
        out->values[i].value_case = ABACUS__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        out->values[i].string_value = resource->pairs[i].value;
        abacus__otlp__key_value__init(&out->pairs[i]);
        out->pairs[i].key = resource->pairs[i].key;
        out->pairs[i].value = &out->values[i];
        out->pointers[i] = &out->pairs[i];
    }
    out->message.n_attributes = resource->count;
    out->message.attributes = out->pointers;
}

void otlp_request(struct bytes *out, const struct otel_list *list, const struct span_bytes *spans)
{
    struct resource resource;
    resource_fill(&resource, list);
    Abacus__Otlp__Scope scope = ABACUS__OTLP__SCOPE__INIT;
    Abacus__Otlp__ScopeSpans scope_spans = ABACUS__OTLP__SCOPE_SPANS__INIT;
    scope_fill(&scope_spans, &scope, spans);
    Abacus__Otlp__ResourceSpans resource_spans = ABACUS__OTLP__RESOURCE_SPANS__INIT;
    resource_spans.resource = &resource.message;
    resource_spans.schema_url = OTLP_SCHEMA_URL;
    resource_spans.n_scope_spans = 1;
    resource_spans.scope_spans = &(Abacus__Otlp__ScopeSpans *){&scope_spans};
    Abacus__Otlp__Request request = ABACUS__OTLP__REQUEST__INIT;
    request.n_resource_spans = 1;
    request.resource_spans = &(Abacus__Otlp__ResourceSpans *){&resource_spans};
    uint8_t *at = bytes_reserve(out, abacus__otlp__request__get_packed_size(&request));
    out->length += abacus__otlp__request__pack(&request, at);
    free(scope_spans.spans);
}

// --- the answer ---
bool otlp_response(const struct bytes *body, struct otlp_response *out)
{
    *out = (struct otlp_response){.rejected = 0};
    Abacus__Otlp__Response *response =
        abacus__otlp__response__unpack(NULL, body->length, body->data);
    if (response == NULL)
        return false;
    const Abacus__Otlp__PartialSuccess *partial = response->partial_success;
    if (partial != NULL) {
        out->rejected = partial->rejected_spans;
        snprintf(out->message, sizeof(out->message), "%s", partial->error_message);
    }
    abacus__otlp__response__free_unpacked(response, NULL);
    return true;
}
