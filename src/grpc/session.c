// SPDX-License-Identifier: Apache-2.0
// What nghttp2 tells us of a connection, turned into calls; and what only a peer out of order
// does, turned into strikes. Nothing here sends or frees a connection: nghttp2 is on the stack.
#include "grpc/call.h"

// Frames in a row, of all kinds that HTTP/2 knows, that bring no request and take no answer
// (RFC 9113 §10.5). A client that reads a large answer updates windows, but then DATA is sent in
// between.
#define IDLE_FRAMES_MAX 10000

static struct grpc_call *call_of(struct grpc_connection *c, int32_t stream_id)
{
    if (c->recent == NULL || c->recent->stream_id != stream_id)
        c->recent = nghttp2_session_get_stream_user_data(c->session, stream_id);
    return c->recent;
}

// Also of frames that nghttp2 ignores. What is progress sets the count back below.
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    (void)session, (void)hd;
    struct grpc_connection *c = arg;
    if (++c->idle_frames > IDLE_FRAMES_MAX)
        grpc_connection_break(c, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_frames");
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct grpc_connection *c = arg;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (c->broken)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    c->idle_frames = 0;
    struct grpc_call *call = grpc_call_begin(c, frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *arg)
{
    (void)session, (void)flags;
    struct grpc_connection *c = arg;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; // trailers of a request mean nothing in gRPC
    struct grpc_call *call = call_of(c, frame->hd.stream_id);
    if (call == NULL || grpc_call_field(call, (struct grpc_slice){name, name_length},
                                        (struct grpc_slice){value, value_length}))
        return 0;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // resets this stream only
}

static void on_ping(struct grpc_connection *c, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        grpc_connection_ping_answered(c, frame->ping.opaque_data);
    else if (!grpc_ping_guard_allow(&c->pings, c->loop->now_mono_ns))
        grpc_connection_break(c, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

static void count_reset(struct grpc_connection *c)
{
    if (!grpc_budget_spend(&c->resets, c->loop->now_mono_ns))
        grpc_connection_break(c, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_resets");
}

static void on_request_part(struct grpc_connection *c, const nghttp2_frame *frame)
{
    struct grpc_call *call = call_of(c, frame->hd.stream_id);
    if (call == NULL)
        return;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        grpc_call_headers_end(call);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        grpc_call_half_close(call);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    struct grpc_connection *c = arg;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        on_request_part(c, frame);
        break;
    case NGHTTP2_PING:
        on_ping(c, frame);
        break;
    case NGHTTP2_RST_STREAM:
        count_reset(c);
        break;
    case NGHTTP2_SETTINGS:
        c->established = true;
        break;
    default:
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t length, void *arg)
{
    (void)flags;
    struct grpc_connection *c = arg;
    struct grpc_call *call = call_of(c, stream_id);
    c->idle_frames = 0;
    if (call != NULL)
        grpc_call_data(call, (struct grpc_slice){data, length});
    // Taken, so the window may open again: what a call may hold is bounded above, not here.
    (void)nghttp2_session_consume(session, stream_id, length);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *arg)
{
    (void)session, (void)error;
    struct grpc_call *call = call_of(arg, stream_id);
    if (call != NULL)
        grpc_call_detach(call);
    return 0;
}

// An answer that is over before its request: the rest of that is not wanted (RFC 9113 §8.1).
static void stop_request(nghttp2_session *session, int32_t stream_id)
{
    if (nghttp2_session_get_stream_remote_close(session, stream_id) == 0)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct grpc_connection *c = arg;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
        grpc_ping_guard_sent(&c->pings);
        c->idle_frames = 0;
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            stop_request(session, frame->hd.stream_id);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM &&
               frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
               frame->rst_stream.error_code != NGHTTP2_CANCEL) {
        count_reset(c); // the peer made us do it (CVE-2025-8671)
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        grpc_connection_goaway_sent(c);
    }
    return 0;
}

nghttp2_session_callbacks *grpc_session_callbacks(void)
{
    nghttp2_session_callbacks *cb;
    CHECK_INT(nghttp2_session_callbacks_new(&cb), ==, 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    return cb;
}

nghttp2_option *grpc_session_options(void)
{
    nghttp2_option *options;
    CHECK_INT(nghttp2_option_new(&options), ==, 0);
    nghttp2_option_set_no_auto_window_update(options, 1);
    // We count resets ourselves, together with those that the peer provokes.
    nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
    return options;
}
