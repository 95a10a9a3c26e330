// SPDX-License-Identifier: Apache-2.0
// The answer half of a call: headers, messages, trailers (gRPC PROTOCOL-HTTP2 "Responses").
// A handler's call only queues; nghttp2 asks for the bytes when the loop's turn ends.
#include "grpc/call.h"

#include "grpc/details.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX      64 // of one header block that we send
#define FAIL_TEXT_BYTES 512
#define STATIC_FIELD    (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

struct fields {
    nghttp2_nv nv[FIELDS_MAX];
    size_t count;
};

static void field_add(struct fields *f, const char *name, size_t name_length, const char *value,
                      size_t value_length, uint8_t flags)
{
    CHECK_INT(f->count, <, FIELDS_MAX);
    f->nv[f->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                                     name_length, value_length, flags};
}

#define FIELD_STATIC(f, name, value) \
    field_add(f, name, sizeof(name) - 1, value, strlen(value), STATIC_FIELD)

static void fields_add_metadata(struct fields *f, const struct grpc_metadata *m)
{
    struct grpc_metadatum entry;
    for (size_t at = 0; grpc_metadata_next(m, &at, &entry);)
        field_add(f, (const char *)entry.name.data, entry.name.length,
                  (const char *)entry.value.data, entry.value.length, NGHTTP2_NV_FLAG_NONE);
}

static void fields_add_status(struct fields *f, const struct grpc_call *call)
{
    static const char *const digits[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                         "9", "10", "11", "12", "13", "14", "15", "16"};
    FIELD_STATIC(f, "grpc-status", digits[call->status]);
    fields_add_metadata(f, &call->trailing);
}

static void fields_add_head(struct fields *f, struct grpc_call *call, const char *http_status)
{
    FIELD_STATIC(f, ":status", http_status);
    FIELD_STATIC(f, "content-type", "application/grpc");
    // What we understand is a property of the server: once a connection is enough, and whenever
    // it is the reason of a refusal (gRPC compression.md).
    if (!call->connection->advertised)
        FIELD_STATIC(f, "grpc-accept-encoding", "identity,gzip");
    call->connection->advertised = true;
}

void grpc_answer_trailers_only(struct grpc_call *call, const char *http_status)
{
    struct fields f;
    f.count = 0;
    fields_add_head(&f, call, http_status);
    fields_add_status(&f, call);
    call->started = call->ended = true;
    (void)nghttp2_submit_response(call->connection->session, call->stream_id, f.nv, f.count, NULL);
    grpc_connection_touch(call->connection);
}

static void submit_trailers(struct grpc_call *call)
{
    struct fields f;
    f.count = 0;
    fields_add_status(&f, call);
    (void)nghttp2_submit_trailer(call->connection->session, call->stream_id, f.nv, f.count);
}

// nghttp2 has a DATA frame to fill.
static ssize_t read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)session, (void)stream_id, (void)arg;
    struct grpc_call *call = source->ptr;
    struct grpc_connection *c = call->connection;
    const size_t left = call->answer.length - call->answer_at;
    const size_t n = left < size ? left : size;
    if (n > 0) {
        memcpy(out, call->answer.data + call->answer_at, n);
        call->answer_at += n;
        c->queued_bytes -= n;
        c->moved_mono_ns = call->moved_mono_ns = c->loop->now_mono_ns;
    }
    if (n == left && call->ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(call);
    } else if (n == 0) {
        call->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

// The answer's headers if they are not sent yet, and whatever is queued.
static void push(struct grpc_call *call)
{
    struct grpc_connection *c = call->connection;
    if (!call->started) {
        struct fields f;
        f.count = 0;
        fields_add_head(&f, call, "200");
        fields_add_metadata(&f, &call->initial);
        const nghttp2_data_provider body = {{.ptr = call}, read_answer};
        call->started = true;
        (void)nghttp2_submit_response(c->session, call->stream_id, f.nv, f.count, &body);
    } else if (call->deferred) {
        call->deferred = false;
        (void)nghttp2_session_resume_data(c->session, call->stream_id);
    }
    grpc_connection_touch(c);
}

static void queue_message(struct grpc_call *call, const void *message, size_t length)
{
    struct grpc_connection *c = call->connection;
    CHECK_INT(length, <=, UINT32_MAX);
    if (call->answer_at == call->answer.length) {
        call->answer.length = call->answer_at = 0;
        call->moved_mono_ns = c->loop->now_mono_ns;
    }
    if (c->queued_bytes == 0)
        c->moved_mono_ns = c->loop->now_mono_ns;
    grpc_buffer_reserve(&call->answer, GRPC_PREFIX_BYTES + length);
    grpc_prefix_write(call->answer.data + call->answer.length, (uint32_t)length);
    call->answer.length += GRPC_PREFIX_BYTES;
    grpc_buffer_append(&call->answer, message, length);
    c->queued_bytes += GRPC_PREFIX_BYTES + length;
}

// The handler has paid what it owed. The call may be freed.
static void settle(struct grpc_call *call)
{
    call->known = false;
    if (!call->owed)
        return;
    call->owed = false;
    call->connection->running_count--;
    if (!call->on_stream)
        grpc_call_free(call);
}

static bool answerable(const struct grpc_call *call)
{
    CHECK(!call->ended); // a second answer
    return call->on_stream && !grpc_call_gone(call);
}

void grpc_call_reply(struct grpc_call *call, const void *message, size_t length)
{
    if (answerable(call)) {
        queue_message(call, message, length);
        call->status = GRPC_OK;
        call->ended = true;
        push(call);
    }
    settle(call);
}

bool grpc_call_send(struct grpc_call *call, const void *message, size_t length)
{
    if (!answerable(call))
        return true; // on_gone tells
    const size_t unsent = call->answer.length - call->answer_at;
    if (unsent + length > call->connection->loop->core->config.unsent_bytes_max) {
        call->known = false;
        call->status = GRPC_RESOURCE_EXHAUSTED;
        grpc_call_reset(call, NGHTTP2_ENHANCE_YOUR_CALM);
        return false;
    }
    queue_message(call, message, length);
    push(call);
    return true;
}

void grpc_call_finish(struct grpc_call *call, enum grpc_status status, const char *text)
{
    if (answerable(call)) {
        CHECK(status >= GRPC_OK && status <= GRPC_UNAUTHENTICATED);
        call->status = (uint8_t)status;
        if (text[0] != '\0') {
            struct bytes encoded = {0};
            grpc_message_encode(&encoded, text, strlen(text));
            grpc_metadata_send(&call->trailing, "grpc-message", encoded.data, encoded.length);
            bytes_clear(&encoded);
        }
        if (call->started || call->initial.packed.length > 0) {
            call->ended = true;
            push(call);
        } else {
            grpc_answer_trailers_only(call, "200");
        }
    }
    settle(call);
}

void grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *reason,
                    const char *fmt, ...)
{
    char text[FAIL_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct bytes details = {0};
    grpc_details_encode(&details, status, text, reason);
    grpc_metadata_send(&call->trailing, "grpc-status-details-bin", details.data, details.length);
    bytes_clear(&details);
    grpc_call_finish(call, status, text);
}

void grpc_call_metadata_add(struct grpc_call *call, enum grpc_metadata_place place,
                            const char *name, const void *value, size_t length)
{
    struct grpc_metadata *m = place == GRPC_INITIAL ? &call->initial : &call->trailing;
    grpc_metadata_send(m, name, value, length);
}
