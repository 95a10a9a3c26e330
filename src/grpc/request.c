// SPDX-License-Identifier: Apache-2.0
// One call of the client: what it sends, what came back, and what that means.
#include "grpc/channel.h"

#include "base/clock.h"
#include "grpc/base64.h"
#include "grpc/timeout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX (4 * 1024 * 1024) // of an answer: what every gRPC client takes
#define FIELDS_BYTES_MAX  (16 * 1024)       // of all its header fields, name + value + 32
#define FIELD_OVERHEAD    32
#define STATIC_FIELD      (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

// --- life ---
struct grpc_request *grpc_request_create(struct grpc_channel *c, const struct grpc_call_spec *spec)
{
    CHECK_INT(spec->message.length, <=, UINT32_MAX);
    const size_t framed_bytes = GRPC_PREFIX_BYTES + spec->message.length;
    struct grpc_request *r = xmalloc(sizeof(*r) + framed_bytes);
    memset(r, 0, offsetof(struct grpc_request, reader));
    r->channel = c;
    r->grpc_status = -1;
    r->path = spec->path;
    r->on_done = spec->on_done;
    r->ctx = spec->ctx;
    r->framed_bytes = framed_bytes;
    grpc_prefix_write(r->framed, (uint32_t)spec->message.length);
    if (spec->message.length > 0)
        memcpy(r->framed + GRPC_PREFIX_BYTES, spec->message.data, spec->message.length);
    if (spec->traceparent != NULL) {
        CHECK_INT(strlen(spec->traceparent), <, sizeof(r->traceparent));
        strncpy(r->traceparent, spec->traceparent, sizeof(r->traceparent) - 1);
    }
    r->timed.deadline_mono_ns =
        spec->timeout_ms > 0 ? clock_mono_ns() + spec->timeout_ms * NS_PER_MS : INT64_MAX;
    grpc_wheel_add(&c->wheel, &r->timed);
    grpc_reader_init(&r->reader, MESSAGE_BYTES_MAX);
    TAILQ_INSERT_TAIL(&c->waiting, r, links);
    return r;
}

static void request_free(struct grpc_request *r)
{
    struct grpc_channel *c = r->channel;
    if (r->stream_id == 0) {
        TAILQ_REMOVE(&c->waiting, r, links);
    } else {
        TAILQ_REMOVE(&c->open, r, links);
        c->streams_count--;
        c->recent = NULL;
    }
    grpc_reader_clear(&r->reader);
    bytes_clear(&r->text);
    bytes_clear(&r->details);
    free(r);
}

static void finish(struct grpc_request *r, const struct grpc_result *result)
{
    if (r->done)
        return;
    r->done = true;
    grpc_wheel_remove(&r->channel->wheel, &r->timed);
    r->on_done(result, r->ctx);
}

// --- out ---
static ssize_t read_message(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)session, (void)stream_id, (void)arg;
    struct grpc_request *r = source->ptr;
    const size_t left = r->framed_bytes - r->framed_at;
    const size_t n = left < size ? left : size;
    memcpy(out, r->framed + r->framed_at, n);
    r->framed_at += n;
    if (n == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv field(const char *name, const char *value, uint8_t flags)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), flags};
}

// Rounded up to whole milliseconds, so that calls with one timeout look alike and the field
// compresses to one byte.
static void timeout_write(char out[GRPC_TIMEOUT_TEXT_BYTES], int64_t deadline_mono_ns)
{
    const int64_t left_ns = deadline_mono_ns - clock_mono_ns();
    grpc_timeout_format(out, left_ns > 0 ? (left_ns + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS : 1);
}

bool grpc_request_submit(struct grpc_request *r)
{
    struct grpc_channel *c = r->channel;
    nghttp2_nv fields[9] = {
        field(":method", "POST", STATIC_FIELD),
        field(":scheme", "http", STATIC_FIELD),
        field(":path", r->path, NGHTTP2_NV_FLAG_NO_COPY_NAME),
        field(":authority", c->authority, STATIC_FIELD), // outlives the session
        field("te", "trailers", STATIC_FIELD),
        field("content-type", "application/grpc", STATIC_FIELD),
        field("user-agent", "abacus", STATIC_FIELD),
    };
    size_t count = 7;
    char timeout[GRPC_TIMEOUT_TEXT_BYTES];
    if (r->timed.deadline_mono_ns != INT64_MAX) {
        timeout_write(timeout, r->timed.deadline_mono_ns);
        fields[count++] = field("grpc-timeout", timeout, NGHTTP2_NV_FLAG_NO_COPY_NAME);
    }
    if (r->traceparent[0] != '\0') // a new one each call would only push others from the table
        fields[count++] = field("traceparent", r->traceparent,
                                NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX);
    const nghttp2_data_provider body = {{.ptr = r}, read_message};
    const int32_t id = nghttp2_submit_request(c->session, NULL, fields, count, &body, r);
    if (id < 0)
        return false;
    TAILQ_REMOVE(&c->waiting, r, links);
    TAILQ_INSERT_TAIL(&c->open, r, links);
    r->stream_id = id;
    c->streams_count++;
    return true;
}

// --- in ---
#define IS(slice, text) \
    ((slice).length == sizeof(text) - 1 && memcmp((slice).data, text, sizeof(text) - 1) == 0)

// Three digits at most (of an HTTP status nghttp2 has checked them); -1: not a number.
static int small_number(struct grpc_slice value)
{
    int number = value.length >= 1 && value.length <= 3 ? 0 : -1;
    for (size_t i = 0; i < value.length && number >= 0; i++) {
        const bool digit = value.data[i] >= '0' && value.data[i] <= '9';
        number = digit ? number * 10 + (value.data[i] - '0') : -1;
    }
    return number;
}

static int status_of(struct grpc_slice value)
{
    const int number = small_number(value);
    return number >= GRPC_OK && number <= GRPC_UNAUTHENTICATED ? number : GRPC_UNKNOWN;
}

static void keep(struct bytes *b, struct grpc_slice value)
{
    bytes_reset(b);
    bytes_append(b, value.data, value.length);
}

bool grpc_request_field(struct grpc_request *r, struct grpc_slice name, struct grpc_slice value)
{
    static const char type[] = "application/grpc";
    r->fields_bytes += name.length + value.length + FIELD_OVERHEAD;
    if (r->fields_bytes > FIELDS_BYTES_MAX)
        return false;
    if (IS(name, ":status"))
        r->http_status = small_number(value);
    else if (IS(name, "content-type"))
        r->grpc =
            value.length >= sizeof(type) - 1 && memcmp(value.data, type, sizeof(type) - 1) == 0;
    else if (IS(name, "grpc-status"))
        r->grpc_status = status_of(value);
    else if (IS(name, "grpc-message"))
        keep(&r->text, value);
    else if (IS(name, "grpc-status-details-bin"))
        keep(&r->details, value);
    return true;
}

void grpc_request_data(struct grpc_request *r, struct grpc_slice data)
{
    while (!r->done && r->grpc && data.length > 0) {
        if (r->messages_count > 0) {
            grpc_request_abandon(r, GRPC_INTERNAL, "more than one answer");
            return;
        }
        switch (grpc_reader_feed(&r->reader, &data)) {
        case GRPC_READ_MORE:
            break;
        case GRPC_READ_MESSAGE:
            r->messages_count++;
            if (r->reader.compressed) // we did not offer to understand any encoding
                grpc_request_abandon(r, GRPC_INTERNAL, "the answer is compressed");
            break;
        case GRPC_READ_TOO_LARGE:
            grpc_request_abandon(r, GRPC_RESOURCE_EXHAUSTED, "the answer is too large");
            break;
        case GRPC_READ_MALFORMED:
            grpc_request_abandon(r, GRPC_INTERNAL, "malformed message prefix");
            break;
        }
    }
}

// --- the end ---
// grpc/grpc doc/http-grpc-status-mapping.md
static enum grpc_status status_of_http(int http_status)
{
    switch (http_status) {
    case 400:
    case 431:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

// gRPC PROTOCOL-HTTP2 "Errors"
static enum grpc_status status_of_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}

static void finish_own(struct grpc_request *r, enum grpc_status status, const char *text,
                       bool not_processed)
{
    const struct grpc_result result = {
        .status = status, .text = text, .not_processed = not_processed};
    finish(r, &result);
}

static void finish_reset(struct grpc_request *r, uint32_t http2_error)
{
    // The server, too, cancels at the deadline, and may be first to say so.
    if (http2_error == NGHTTP2_CANCEL && clock_mono_ns() >= r->timed.deadline_mono_ns) {
        finish_own(r, GRPC_DEADLINE_EXCEEDED, "the deadline has passed", false);
        return;
    }
    char text[96];
    snprintf(text, sizeof(text), "the stream was reset: %s", nghttp2_http2_strerror(http2_error));
    // REFUSED_STREAM promises it (RFC 9113 §8.7); nghttp2 also says so of streams above GOAWAY's
    // last, and of those it had no time to send before.
    finish_own(r, status_of_reset(http2_error), text, http2_error == NGHTTP2_REFUSED_STREAM);
}

static void finish_answered(struct grpc_request *r)
{
    struct bytes text = {0}, details = {0};
    grpc_message_decode(&text, (const char *)r->text.data, r->text.length);
    if (!grpc_base64_decode(&details, (const char *)r->details.data, r->details.length))
        bytes_reset(&details); // the status alone must do
    struct grpc_result result = {.status = (enum grpc_status)r->grpc_status,
                                 .text = text.length > 0 ? (const char *)text.data : "",
                                 .details = {details.data, details.length},
                                 .answered = true};
    if (result.status == GRPC_OK)
        result.message = r->reader.message;
    finish(r, &result);
    bytes_clear(&text);
    bytes_clear(&details);
}

void grpc_request_close(struct grpc_request *r, uint32_t http2_error)
{
    char text[64];
    snprintf(text, sizeof(text), "HTTP status %d without grpc-status", r->http_status);
    if (r->done)
        ; // it only waited for its stream
    else if (!r->ended)
        finish_reset(r, http2_error);
    else if (!r->grpc || r->grpc_status < 0)
        finish_own(r, status_of_http(r->http_status), text, false);
    else if (r->grpc_status == GRPC_OK && r->messages_count == 0)
        finish_own(r, GRPC_INTERNAL, "no answer before the status", false);
    else
        finish_answered(r);
    request_free(r);
}

void grpc_request_abandon(struct grpc_request *r, enum grpc_status status, const char *text)
{
    struct grpc_channel *c = r->channel;
    if (r->stream_id == 0) {
        finish_own(r, status, text, true);
        request_free(r);
        return;
    }
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, r->stream_id, NGHTTP2_CANCEL);
    grpc_channel_touch(c);
    finish_own(r, status, text, false);
}

void grpc_request_lose(struct grpc_request *r, enum grpc_status status, const char *text)
{
    finish_own(r, status, text, r->stream_id == 0);
    request_free(r);
}
