// SPDX-License-Identifier: Apache-2.0
#include "totals/batch_spans.h"

#include "base/int128.h"
#include "store/observe.h"
#include "telemetry/trace.h"

#include <stdio.h>
#include <stdlib.h>

struct batch_spans batch_spans_create(enum trace_shape shape, const char *topic, const char *group)
{
    return (struct batch_spans){
        .shape = shape, .topic = topic, .group = group, .name = xasprintf("process %s", topic)};
}

void batch_spans_clear(struct batch_spans *s)
{
    free(s->name);
}

// What is told in one attempt, passed on from function to function.
struct telling {
    const struct batch_spans *spans;
    const struct batch *batch;
    const struct attempt *attempt;
};

static struct span span_of(const struct telling *t, const char *name, enum span_kind kind)
{
    return (struct span){.name = name,
                         .kind = kind,
                         .begin_unix_us = t->attempt->begin.unix_us,
                         .end_unix_us = t->attempt->end.unix_us};
}

static void fail(struct span *span, const char *type, const char *text)
{
    span->error = text;
    span_text(span, "error.type", type);
}

static void fail_with_attempt(struct span *span, const struct attempt *attempt)
{
    if (attempt->err != NULL)
        fail(span, err_name(attempt->err->code), attempt->err->text);
}

// --- UPDATE ledger ---
static void tell_transaction(const struct telling *t, const struct trace_context *parent)
{
    struct span span = span_of(t, "UPDATE ledger", SPAN_CLIENT);
    if (!t->attempt->transaction || !trace_begin(parent, &span.context))
        return;
    span.parent = *parent;
    store_span_describe(
        &span, &(struct store_transaction){"ledger", "UPDATE", t->batch->count, t->attempt->err});
    trace_end(&span);
}

// --- process TOPIC ---
static struct span process_span(const struct telling *t)
{
    struct span span = span_of(t, t->spans->name, SPAN_CONSUMER);
    span_text(&span, "messaging.system", "kafka");
    span_text(&span, "messaging.operation.name", "process");
    span_text(&span, "messaging.operation.type", "process");
    span_text(&span, "messaging.destination.name", t->spans->topic);
    span_text(&span, "messaging.consumer.group.name", t->spans->group);
    return span;
}

// --- child: a span for each event ---

// Texts that a span borrows.
struct event_texts {
    char partition[INT64_TEXT_BYTES];
    char id[EVENT_ID_BYTES];
    char source[sizeof(EVENT_SOURCE_PREFIX) + UUID_LENGTH];
};

static void describe_event(struct span *span, struct event_texts *texts, const struct event *event)
{
    event_id_format(texts->id, &event->source, event->sequence);
    snprintf(texts->source, sizeof(texts->source), EVENT_SOURCE_PREFIX "%s", event->source.text);
    span_text(span, "messaging.kafka.message.key", event->source.text);
    span_text(span, "messaging.message.id", texts->id);
    span_text(span, "cloudevents.event_id", texts->id);
    span_text(span, "cloudevents.event_source", texts->source);
    span_text(span, "cloudevents.event_type", EVENT_TYPE);
    span_text(span, "cloudevents.event_spec_version", "1.0");
}

static void describe_verdict(struct span *span, const struct ledger_entry *entry,
                             const struct dead_letter *letter)
{
    static const char *const words[] = {
        [APPLY_NEW] = "applied", [APPLY_DUPLICATE] = "duplicate", [APPLY_REFUSED] = "refused"};
    const char *word = entry->dead_letter ? "dead_letter" : words[entry->verdict];
    span_text(span, "abacus.verdict", word);
    if (letter->reason != NULL)
        fail(span, word, letter->reason);
}

static void tell_event(const struct telling *t, size_t index)
{
    const struct ledger_entry *entry = &t->batch->entries[index];
    struct event_texts texts;
    struct span span = process_span(t);
    if (!trace_begin(&entry->event.context, &span.context))
        return;
    span.parent = entry->event.context;
    span.parent_remote = true;
    span.links = &entry->event.context;
    span.links_count = 1;
    int64_format(texts.partition, entry->partition);
    span_text(&span, "messaging.destination.partition.id", texts.partition);
    span_number(&span, "messaging.kafka.offset", entry->offset);
    if (!entry->dead_letter)
        describe_event(&span, &texts, &entry->event);
    if (t->attempt->err == NULL)
        describe_verdict(&span, entry, &t->batch->letters[index]);
    else
        fail_with_attempt(&span, t->attempt);
    trace_end(&span);
    tell_transaction(t, &span.context);
}

static void tell_events(const struct telling *t)
{
    for (size_t i = 0; i < t->batch->count; i++) {
        if (trace_context_sampled(&t->batch->entries[i].event.context))
            tell_event(t, i);
    }
}

// --- link: a span for the batch ---
static void tell_linked(const struct telling *t, const struct trace_context *links, size_t count)
{
    const struct trace_context root = {.traceparent = ""};
    struct span span = process_span(t);
    if (!trace_begin(&root, &span.context))
        return;
    span.links = links;
    span.links_count = count;
    if (t->batch->count >= 2)
        span_number(&span, "messaging.batch.message_count", (int64_t)t->batch->count);
    fail_with_attempt(&span, t->attempt);
    trace_end(&span);
    tell_transaction(t, &span.context);
}

static void tell_batch(const struct telling *t)
{
    struct trace_context links[SPAN_LINKS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < t->batch->count; i++) {
        const struct trace_context *context = &t->batch->entries[i].event.context;
        if (!trace_context_sampled(context))
            continue;
        links[count++] = *context;
        if (count == SPAN_LINKS_MAX) {
            tell_linked(t, links, count);
            count = 0;
        }
    }
    if (count > 0)
        tell_linked(t, links, count);
}

void batch_spans_attempt(const struct batch_spans *s, const struct batch *b,
                         const struct attempt *attempt)
{
    const struct telling telling = {s, b, attempt};
    if (!trace_enabled())
        return;
    if (s->shape == TRACE_CHILD)
        tell_events(&telling);
    else
        tell_batch(&telling);
}
