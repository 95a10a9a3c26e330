// SPDX-License-Identifier: Apache-2.0
#include "grpc/call.h"

#include "base/clock.h"
#include "grpc/gzip.h"

#include <event2/event.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// Requests in the making on one connection, in multiples of the largest message.
#define REQUEST_MESSAGES_MAX 16

// --- life ---
struct grpc_call *grpc_call_begin(struct grpc_connection *c, int32_t stream_id)
{
    struct grpc_loop *loop = c->loop;
    struct grpc_call *call = xmalloc(sizeof(*call) + loop->core->state_bytes_max);
    memset(call, 0, offsetof(struct grpc_call, reader));
    call->connection = c;
    call->stream_id = stream_id;
    call->on_stream = true;
    call->status = GRPC_CANCELLED;
    call->deadline_mono_ns = INT64_MAX;
    call->begun_mono_ns = call->moved_mono_ns = loop->now_mono_ns;
    grpc_header_init(&call->header, call->metadata_memory, sizeof(call->metadata_memory));
    grpc_reader_init(&call->reader, loop->core->config.message_bytes_max);
    grpc_buffer_init(&call->answer, call->answer_memory, sizeof(call->answer_memory));
    LIST_INSERT_HEAD(&c->calls, call, links);
    c->streams_count++;
    c->recent = call;
    grpc_counter_add(&loop->calls_open, 1);
    return call;
}

void grpc_call_free(struct grpc_call *call)
{
    struct grpc_connection *c = call->connection;
    LIST_REMOVE(call, links);
    grpc_counter_add(&c->loop->calls_open, -1);
    grpc_counter_add(&c->loop->calls_ended, 1);
    grpc_header_clear(&call->header);
    grpc_reader_clear(&call->reader);
    grpc_metadata_clear(&call->initial);
    grpc_metadata_clear(&call->trailing);
    grpc_buffer_clear(&call->answer);
    free(call);
}

static const struct grpc_method *method_of(const struct grpc_call *call)
{
    return &call->header.route->method;
}

static void mark_gone(struct grpc_call *call)
{
    atomic_store_explicit(&call->gone, true, memory_order_relaxed);
    const bool tell = call->known;
    call->known = false;
    if (tell && method_of(call)->on_gone != NULL)
        method_of(call)->on_gone(call, method_of(call)->ctx);
}

static void request_bytes_set(struct grpc_call *call, size_t bytes)
{
    call->connection->request_bytes += bytes - call->request_bytes;
    call->request_bytes = bytes;
}

static void tell_end(const struct grpc_call *call)
{
    const struct grpc_loop *loop = call->connection->loop;
    const struct grpc_core *core = loop->core;
    const struct grpc_route *route = call->header.route;
    if (core->config.on_end == NULL)
        return;
    const bool late = !call->ended && loop->now_mono_ns >= call->deadline_mono_ns;
    const struct grpc_call_end end = {
        .method = route != NULL ? route->method.path + 1 : "_OTHER",
        .method_index =
            route != NULL ? (size_t)(route - core->rules.routes) : core->rules.routes_count,
        .status = late ? GRPC_DEADLINE_EXCEEDED : call->status,
        .duration_ns = loop->now_mono_ns - call->begun_mono_ns,
        .state = call->accepted ? call->state : NULL,
    };
    core->config.on_end(&end, core->config.on_end_ctx);
}

void grpc_call_detach(struct grpc_call *call)
{
    struct grpc_connection *c = call->connection;
    if (!call->ended)
        mark_gone(call);
    tell_end(call);
    if (call->timed)
        event_del(&call->deadline);
    request_bytes_set(call, 0);
    c->queued_bytes -= call->answer.length - call->answer_at;
    call->answer_at = call->answer.length;
    call->on_stream = false;
    c->streams_count--;
    c->idle_mono_ns = c->loop->now_mono_ns;
    c->recent = NULL;
    if (!call->owed)
        grpc_call_free(call);
}

void grpc_call_reset(struct grpc_call *call, uint32_t http2_error)
{
    if (!call->on_stream)
        return;
    mark_gone(call);
    call->refused = true;
    (void)nghttp2_submit_rst_stream(call->connection->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                    http2_error);
    grpc_connection_touch(call->connection);
}

void grpc_call_refuse(struct grpc_call *call, enum grpc_status status, const char *text)
{
    const bool tell = call->known;
    call->refused = true;
    call->known = false;
    request_bytes_set(call, 0);
    if (tell && method_of(call)->on_gone != NULL)
        method_of(call)->on_gone(call, method_of(call)->ctx);
    grpc_call_finish(call, status, text);
}

// --- headers ---
bool grpc_call_field(struct grpc_call *call, struct grpc_slice name, struct grpc_slice value)
{
    const bool fits =
        grpc_header_field(&call->header, &call->connection->loop->core->rules, name, value);
    call->refused |= !fits;
    if (!fits)
        call->status = GRPC_INTERNAL; // what clients make of the reset
    return fits;
}

static struct timeval timeval_of(int64_t ns)
{
    const int64_t us = ns / NS_PER_US + 1;
    return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static void on_deadline(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct grpc_call *call = arg;
    struct grpc_loop *loop = call->connection->loop;
    loop->now_mono_ns = clock_mono_ns();
    const int64_t left_ns = call->deadline_mono_ns - loop->now_mono_ns;
    if (left_ns > 0) { // the event loop's clock is coarser than ours
        const struct timeval again = timeval_of(left_ns);
        event_add(&call->deadline, &again);
        return;
    }
    grpc_call_reset(call, NGHTTP2_CANCEL); // gRPC PROTOCOL-HTTP2: "deadline exceeded"
}

static void deadline_arm(struct grpc_call *call)
{
    struct grpc_loop *loop = call->connection->loop;
    const int64_t timeout_ns = call->header.timeout_ns;
    if (timeout_ns >= INT64_MAX - loop->now_mono_ns)
        return;
    call->deadline_mono_ns = loop->now_mono_ns + timeout_ns;
    call->timed = true;
    evtimer_assign(&call->deadline, loop->base, on_deadline, call);
    const struct timeval timeout = timeval_of(timeout_ns);
    event_add(&call->deadline, &timeout);
}

void grpc_call_headers_end(struct grpc_call *call)
{
    struct grpc_connection *c = call->connection;
    call->headers_in = true;
    if (call->refused)
        return;
    // Open streams HTTP/2 limits by itself; handlers whose stream was reset count here, or
    // resetting would be a way round the limit (CVE-2023-44487, CVE-2025-8671).
    if (c->running_count >= c->loop->core->config.streams_max) {
        call->status = GRPC_UNAVAILABLE;
        grpc_call_reset(call, NGHTTP2_REFUSED_STREAM);
        return;
    }
    const struct grpc_verdict verdict = grpc_header_judge(&call->header);
    if (verdict.status != GRPC_OK) {
        call->refused = true;
        if (call->header.encoding == GRPC_ENCODING_UNKNOWN)
            c->advertised = false;
        call->status = (uint8_t)verdict.status;
        grpc_call_metadata_add(call, GRPC_TRAILING, "grpc-message", verdict.text,
                               strlen(verdict.text));
        grpc_answer_trailers_only(call, verdict.http_status);
        return;
    }
    memset(call->state, 0, method_of(call)->state_bytes);
    call->accepted = true;
    deadline_arm(call);
}

// --- messages ---
// False: refused. A stream has no natural end, so none begins on a connection that has had its
// last word.
static bool stream_begin(struct grpc_call *call)
{
    if (!call->known && call->connection->state >= GRPC_CONN_FINAL) {
        grpc_call_refuse(call, GRPC_UNAVAILABLE, "the connection is being closed");
        return false;
    }
    call->known = true;
    return true;
}

static void hand_over(struct grpc_call *call, struct grpc_slice message)
{
    const struct grpc_method *method = method_of(call);
    if (method->kind == GRPC_UNARY) {
        call->owed = true;
        call->connection->running_count++;
    } else if (!stream_begin(call)) {
        return;
    }
    method->on_message(call, message, method->ctx);
}

static void deliver(struct grpc_call *call)
{
    if (!call->reader.compressed) {
        hand_over(call, call->reader.message);
        return;
    }
    if (call->header.encoding != GRPC_ENCODING_GZIP) {
        grpc_call_refuse(call, GRPC_INTERNAL, "compressed message without grpc-encoding");
        return;
    }
    struct bytes plain = {0};
    switch (grpc_gunzip(&plain, call->reader.message, call->reader.limit_bytes)) {
    case GRPC_GUNZIP_OK:
        hand_over(call, (struct grpc_slice){plain.data, plain.length});
        break;
    case GRPC_GUNZIP_TOO_LARGE:
        grpc_call_refuse(call, GRPC_RESOURCE_EXHAUSTED, "message too large when decompressed");
        break;
    case GRPC_GUNZIP_CORRUPT:
        grpc_call_refuse(call, GRPC_INTERNAL, "message is not valid gzip");
        break;
    }
    bytes_clear(&plain);
}

static void on_message_read(struct grpc_call *call)
{
    call->messages_count++;
    if (method_of(call)->kind == GRPC_BIDI_STREAM) {
        request_bytes_set(call, 0);
        deliver(call);
    } else if (call->messages_count > 1) {
        grpc_call_refuse(call, GRPC_INTERNAL, "more than one request message");
    }
}

void grpc_call_data(struct grpc_call *call, struct grpc_slice data)
{
    struct grpc_connection *c = call->connection;
    if (call->refused || call->ended)
        return; // the rest of what was already on its way
    request_bytes_set(call, call->request_bytes + data.length);
    if (c->request_bytes > REQUEST_MESSAGES_MAX * (size_t)c->loop->core->config.message_bytes_max) {
        grpc_call_refuse(call, GRPC_RESOURCE_EXHAUSTED, "too many large requests at once");
        return;
    }
    while (!call->refused && !call->ended && data.length > 0) {
        switch (grpc_reader_feed(&call->reader, &data)) {
        case GRPC_READ_MORE:
            return;
        case GRPC_READ_MESSAGE:
            on_message_read(call);
            break;
        case GRPC_READ_TOO_LARGE:
            grpc_call_refuse(call, GRPC_RESOURCE_EXHAUSTED, "message larger than the limit");
            break;
        case GRPC_READ_MALFORMED:
            grpc_call_refuse(call, GRPC_INTERNAL, "malformed message prefix");
            break;
        }
    }
}

void grpc_call_half_close(struct grpc_call *call)
{
    call->half_closed = true;
    if (call->refused || call->ended)
        return;
    const struct grpc_method *method = method_of(call);
    if (grpc_reader_midway(&call->reader)) {
        grpc_call_refuse(call, GRPC_INTERNAL, "the request ends within a message");
        return;
    }
    if (method->kind != GRPC_BIDI_STREAM) {
        if (call->messages_count == 0) {
            grpc_call_refuse(call, GRPC_INTERNAL, "no request message");
            return;
        }
        request_bytes_set(call, 0);
        deliver(call);
    } else if (stream_begin(call)) { // it may end without any message
        method->on_half_close(call, method->ctx);
    }
}

// --- what handlers ask ---
void *grpc_call_state(struct grpc_call *call)
{
    return call->state;
}

struct grpc_call *grpc_call_of_state(void *state)
{
    return CONTAINER_OF(state, struct grpc_call, state);
}

int grpc_call_loop(const struct grpc_call *call)
{
    return call->connection->loop->index;
}

int64_t grpc_call_deadline_mono_ns(const struct grpc_call *call)
{
    return call->deadline_mono_ns;
}

int64_t grpc_call_begun_mono_ns(const struct grpc_call *call)
{
    return call->begun_mono_ns;
}

int grpc_call_peer(const struct grpc_call *call, char address[GRPC_ADDRESS_BYTES])
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    char port[8] = "0";
    address[0] = '\0';
    if (getpeername(call->connection->transport.fd, (struct sockaddr *)&peer, &length) != 0)
        return 0;
    (void)getnameinfo((struct sockaddr *)&peer, length, address, GRPC_ADDRESS_BYTES, port,
                      sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    return (int)strtol(port, NULL, 10);
}

bool grpc_call_gone(const struct grpc_call *call)
{
    return atomic_load_explicit(&call->gone, memory_order_relaxed);
}

const char *grpc_call_metadata(const struct grpc_call *call, const char *name, size_t *length)
{
    return grpc_metadata_find(&call->header.metadata, name, length);
}
