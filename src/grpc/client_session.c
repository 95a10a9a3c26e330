// SPDX-License-Identifier: Apache-2.0
// What nghttp2 tells the client of its connection. Nothing here sends or closes: nghttp2 is on the
// stack.
#include "grpc/channel.h"

#include <stdio.h>
#include <string.h>

#define STREAM_WINDOW_BYTES     (256 * 1024)
#define CONNECTION_WINDOW_BYTES (4 * 1024 * 1024)

static struct grpc_request *request_of(struct grpc_channel *c, int32_t stream_id)
{
    if (c->recent == NULL || c->recent->stream_id != stream_id)
        c->recent = nghttp2_session_get_stream_user_data(c->session, stream_id);
    return c->recent;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *arg)
{
    (void)session, (void)flags;
    struct grpc_request *r = request_of(arg, frame->hd.stream_id);
    if (r == NULL || r->done)
        return 0;
    if (!grpc_request_field(r, (struct grpc_slice){name, name_length},
                            (struct grpc_slice){value, value_length}))
        grpc_request_abandon(r, GRPC_INTERNAL, "the answer's header list is too long");
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t length, void *arg)
{
    (void)session, (void)flags;
    struct grpc_request *r = request_of(arg, stream_id);
    if (r != NULL)
        grpc_request_data(r, (struct grpc_slice){data, length});
    return 0;
}

static void on_goaway(struct grpc_channel *c, const nghttp2_goaway *goaway)
{
    char why[64];
    const size_t length = goaway->opaque_data_len < 32 ? goaway->opaque_data_len : 32;
    snprintf(why, sizeof(why), "the server is leaving%s%.*s", length > 0 ? ": " : "", (int)length,
             length > 0 ? (const char *)goaway->opaque_data : "");
    grpc_channel_leave(c, why);
}

// An answer that is over before its request: the rest of that is not wanted (RFC 9113 §8.1).
static void on_end(nghttp2_session *session, struct grpc_request *r)
{
    r->ended = true;
    if (!r->done && nghttp2_session_get_stream_local_close(session, r->stream_id) == 0)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, r->stream_id, NGHTTP2_CANCEL);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct grpc_channel *c = arg;
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        grpc_channel_ready(c);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        on_goaway(c, &frame->goaway);
    } else if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) {
        struct grpc_request *r = request_of(c, frame->hd.stream_id);
        if (r != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            on_end(session, r);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *arg)
{
    (void)session;
    struct grpc_request *r = request_of(arg, stream_id);
    if (r != NULL)
        grpc_request_close(r, error);
    return 0;
}

nghttp2_session *grpc_channel_session(struct grpc_channel *c)
{
    nghttp2_session_callbacks *cb;
    CHECK_INT(nghttp2_session_callbacks_new(&cb), ==, 0);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session *session;
    CHECK_INT(nghttp2_session_client_new(&session, cb, c), ==, 0);
    nghttp2_session_callbacks_del(cb); // copied
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    CHECK_INT(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)), ==,
              0);
    CHECK_INT(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                    CONNECTION_WINDOW_BYTES),
              ==, 0);
    return session;
}
