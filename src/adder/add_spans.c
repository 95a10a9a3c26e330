// SPDX-License-Identifier: Apache-2.0
#include "adder/add_spans.h"

#include "base/clock.h"
#include "store/observe.h"

#include <stdio.h>

#define NAME_BYTES 272 // "send " and a topic, which Kafka limits to 249

// --- SERVER ---
static void sent_along(struct grpc_call *call, struct trace_context *context)
{
    size_t length;
    const char *text = grpc_call_metadata(call, "traceparent", &length);
    context->traceparent[0] = '\0';
    if (text != NULL)
        (void)trace_context_parse(text, length, context); // a bad one is as good as none
}

void add_span_begin(struct grpc_call *call, struct writer_job *job)
{
    struct trace_context parent;
    sent_along(call, &parent);
    job->traced = trace_begin(&parent, &job->add.context);
}

static void peer_describe(struct grpc_call *call, struct span *span,
                          char address[GRPC_ADDRESS_BYTES])
{
    const int port = grpc_call_peer(call, address);
    span_text(span, "network.peer.address", address);
    if (port > 0)
        span_number(span, "network.peer.port", port);
}

static void server_describe(struct span *span, const struct add *add, enum grpc_status status)
{
    span_text(span, "rpc.system.name", "grpc");
    span_text(span, "rpc.method", span->name);
    span_text(span, "rpc.response.status_code", grpc_status_name((int)status));
    if (grpc_status_is_server_error(status)) {
        span_text(span, "error.type", grpc_status_name((int)status));
        span->error = "";
    }
    if (add->sequence > 0)
        span_number(span, "abacus.sequence", add->sequence);
}

void add_span_end(struct grpc_call *call, const struct writer_job *job, enum grpc_status status,
                  const char *source)
{
    char address[GRPC_ADDRESS_BYTES];
    const int64_t took_ns = clock_mono_ns() - grpc_call_begun_mono_ns(call);
    struct span span = {
        .name = "abacus.v1.Adder/Add",
        .kind = SPAN_SERVER,
        .context = job->add.context,
        .end_unix_us = clock_unix_us(),
    };
    span.begin_unix_us = span.end_unix_us - took_ns / NS_PER_US;
    sent_along(call, &span.parent);
    span.parent_remote = span.parent.traceparent[0] != '\0';
    server_describe(&span, &job->add, status);
    span_text(&span, "abacus.source", source);
    peer_describe(call, &span, address);
    trace_end(&span);
}

// --- INSERT ---
void add_spans_insert(struct writer_job *const *jobs, size_t n, const struct insert_times *times,
                      const struct err *err)
{
    if (!trace_enabled())
        return;
    struct span span = {
        .name = "INSERT outbox",
        .kind = SPAN_CLIENT,
        .begin_unix_us = times->begin_unix_us,
        .end_unix_us = times->end_unix_us,
    };
    store_span_describe(&span, &(struct store_transaction){"outbox", "INSERT", n, err});
    for (size_t i = 0; i < n; i++) {
        span.parent = jobs[i]->add.context;
        if (jobs[i]->traced && trace_begin(&span.parent, &span.context))
            trace_end(&span);
    }
}

// --- send ---
static void send_describe(struct span *span, const struct send_place *place)
{
    span_text(span, "messaging.system", "kafka");
    span_text(span, "messaging.operation.name", "send");
    span_text(span, "messaging.operation.type", "send");
    span_text(span, "messaging.destination.name", place->topic);
    span_text(span, "messaging.client.id", place->client_id);
}

void add_span_send(const struct send_place *place, const struct send_event *event, int64_t offset,
                   const char *error)
{
    char name[NAME_BYTES], message_id[EVENT_ID_BYTES], partition[INT64_TEXT_BYTES];
    snprintf(name, sizeof(name), "send %s", place->topic);
    event_id_format(message_id, &event->source, event->sequence);
    int64_format(partition, place->partition);
    struct span span = {
        .name = name,
        .kind = SPAN_CLIENT,
        .parent = event->context,
        .begin_unix_us = event->begin_unix_us,
        .end_unix_us = clock_unix_us(),
        .error = error,
        .links = &event->context,
        .links_count = 1,
    };
    if (!trace_begin(&span.parent, &span.context))
        return;
    send_describe(&span, place);
    span_text(&span, "messaging.destination.partition.id", partition);
    span_text(&span, "messaging.kafka.message.key", event->source.text);
    span_text(&span, "messaging.message.id", message_id);
    span_text(&span, "error.type", error);
    if (offset >= 0)
        span_number(&span, "messaging.kafka.offset", offset);
    trace_end(&span);
}
