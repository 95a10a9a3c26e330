// SPDX-License-Identifier: Apache-2.0
#include "grpc/connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "grpc/call.h"

#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_WINDOW_BYTES     (256 * 1024)
#define CONNECTION_WINDOW_BYTES (1024 * 1024)

// As long as PING's opaque data.
static const uint8_t drain_ping[8] = "draining";

// --- bytes out ---
void grpc_connection_touch(struct grpc_connection *c)
{
    if (c->dirty || c->state >= GRPC_CONN_ENDING)
        return;
    c->dirty = true;
    LIST_INSERT_HEAD(&c->loop->dirty, c, dirty_links);
}

// False: the socket takes no more, or the connection is closed.
static bool write_all(struct grpc_connection *c, const uint8_t *data, size_t length, size_t *done)
{
    for (*done = 0; *done < length;) {
        const ssize_t n = grpc_transport_write(&c->transport, data + *done, length - *done);
        if (n == GRPC_IO_FAILED) {
            grpc_connection_close(c);
            return false;
        }
        if (n == GRPC_IO_AGAIN) {
            event_add(&c->writable, NULL);
            return false;
        }
        *done += (size_t)n;
        c->moved_mono_ns = c->loop->now_mono_ns;
    }
    return true;
}

static bool write_unsent(struct grpc_connection *c)
{
    if (c->unsent.length == 0)
        return true;
    size_t done;
    const bool all =
        write_all(c, c->unsent.data + c->unsent_at, c->unsent.length - c->unsent_at, &done);
    if (c->state == GRPC_CONN_CLOSED)
        return false;
    c->unsent_at += done;
    if (!all)
        return false;
    c->unsent_at = 0;
    bytes_clear(&c->unsent); // most connections never need one
    if (!c->reading)
        event_add(&c->readable, NULL);
    c->reading = true;
    return true;
}

static bool write_output(struct grpc_connection *c)
{
    struct bytes *output = &c->loop->output;
    size_t done;
    const bool all = write_all(c, output->data, output->length, &done);
    if (!all && c->state != GRPC_CONN_CLOSED) {
        c->moved_mono_ns = c->loop->now_mono_ns;
        bytes_append(&c->unsent, output->data + done, output->length - done);
    }
    bytes_reset(output);
    return all;
}

// Everything nghttp2 has to send, in few large writes. True: all of it is gone.
static bool send_frames(struct grpc_connection *c)
{
    struct bytes *output = &c->loop->output;
    for (;;) {
        const uint8_t *frame;
        const ssize_t n = nghttp2_session_mem_send(c->session, &frame);
        if (n < 0) {
            grpc_connection_close(c);
            return false;
        }
        bytes_append(output, frame, (size_t)n);
        if (output->length >= GRPC_LOOP_WRITE_BYTES || n == 0) {
            if (!write_output(c))
                return false;
        }
        if (n == 0)
            return true;
    }
}

static void detach_calls(struct grpc_connection *c)
{
    struct grpc_call *call = LIST_FIRST(&c->calls);
    while (call != NULL) {
        struct grpc_call *next = LIST_NEXT(call, links);
        if (call->on_stream)
            grpc_call_detach(call);
        call = next;
    }
}

static void state_set(struct grpc_connection *c, enum grpc_connection_state state)
{
    CHECK_INT(state, >, c->state);
    c->state = state;
    c->state_mono_ns = c->loop->now_mono_ns;
}

static void session_end(struct grpc_connection *c)
{
    if (c->session == NULL)
        return;
    detach_calls(c);
    nghttp2_session_del(c->session);
    c->session = NULL;
}

static void flush(struct grpc_connection *c)
{
    if (c->state >= GRPC_CONN_ENDING)
        return;
    c->loop->now_mono_ns = clock_mono_ns(); // when the calls that end here did
    bytes_reset(&c->loop->output);
    if (!write_unsent(c) || !send_frames(c))
        return;
    const bool done = c->broken || !nghttp2_session_want_read(c->session);
    if (done && !nghttp2_session_want_write(c->session)) {
        session_end(c);
        grpc_transport_end(&c->transport);
        state_set(c, GRPC_CONN_ENDING);
    }
}

void grpc_connections_flush(struct grpc_loop *loop)
{
    struct grpc_connection *c;
    while ((c = LIST_FIRST(&loop->dirty)) != NULL) {
        LIST_REMOVE(c, dirty_links);
        c->dirty = false;
        flush(c);
    }
    for (struct grpc_connection *next = LIST_FIRST(&loop->closed); (c = next) != NULL;) {
        next = LIST_NEXT(c, links);
        if (LIST_EMPTY(&c->calls))
            grpc_connection_destroy(c);
    }
}

// --- bytes in ---
static void reading_limit(struct grpc_connection *c)
{
    // A peer that sends but does not read gets no more of our memory. It must be the socket that is
    // full: answers that wait for a window need us to read on.
    const size_t unsent = c->unsent.length - c->unsent_at;
    if (unsent > 0 && unsent + c->queued_bytes > c->loop->core->config.unsent_bytes_max) {
        event_del(&c->readable);
        c->reading = false;
    }
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct grpc_connection *c = arg;
    struct grpc_loop *loop = c->loop;
    loop->now_mono_ns = clock_mono_ns();
    const ssize_t n = grpc_transport_read(&c->transport, loop->input, GRPC_LOOP_READ_BYTES);
    if (n == GRPC_IO_AGAIN) {
        if (c->transport.want == POLLOUT)
            event_add(&c->writable, NULL);
        return;
    }
    if (n <= 0) {
        grpc_connection_close(c);
        return;
    }
    c->heard_mono_ns = loop->now_mono_ns;
    c->keepalive_asked = false;
    if (c->state == GRPC_CONN_ENDING)
        return;
    const ssize_t taken = nghttp2_session_mem_recv(c->session, loop->input, (size_t)n);
    if (taken == NGHTTP2_ERR_FLOODED)
        grpc_connection_break(c, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_frames");
    else if (taken < 0)
        grpc_connection_break(c, NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror((int)taken));
    grpc_connection_touch(c);
    reading_limit(c);
}

static void on_writable(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct grpc_connection *c = arg;
    c->loop->now_mono_ns = clock_mono_ns();
    grpc_connection_touch(c);
}

// --- life ---
static int64_t age_of(const struct grpc_server_config *config)
{
    const int64_t age_ns = config->age_max_ms * NS_PER_MS;
    // ±10 %, so that connections opened together do not all come back together (gRFC A9).
    return age_ns / 10 * 9 + (int64_t)(arc4random() % 2001) * (age_ns / 10000);
}

static void session_start(struct grpc_connection *c)
{
    const struct grpc_core *core = c->loop->core;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, core->config.streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, core->config.header_list_bytes_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        // Also keeps nghttp2 from holding closed streams for a priority tree (RFC 9218 §2.1).
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    CHECK_INT(nghttp2_session_server_new2(&c->session, core->callbacks, c, core->options), ==, 0);
    CHECK_INT(nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)),
              ==, 0);
    CHECK_INT(nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
                                                    CONNECTION_WINDOW_BYTES),
              ==, 0);
}

void grpc_connection_open(struct grpc_loop *loop, int fd)
{
    const struct grpc_server_config *config = &loop->core->config;
    struct grpc_connection *c = xcalloc(1, sizeof(*c));
    const int64_t now = loop->now_mono_ns;
    c->loop = loop;
    c->opened_mono_ns = c->heard_mono_ns = c->moved_mono_ns = c->idle_mono_ns = now;
    c->age_mono_ns = config->age_max_ms > 0 ? now + age_of(config) : INT64_MAX;
    c->cut_mono_ns = INT64_MAX;
    LIST_INIT(&c->calls);
    grpc_budget_init(&c->resets, config->resets_burst_max, config->resets_per_s);
    grpc_ping_guard_init(&c->pings, config->ping_interval_min_ms * NS_PER_MS);
    grpc_transport_tcp(&c->transport, fd);
    session_start(c);
    event_assign(&c->readable, loop->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->writable, loop->base, fd, EV_WRITE, on_writable, c);
    event_add(&c->readable, NULL);
    c->reading = true;
    LIST_INSERT_HEAD(&loop->connections, c, links);
    grpc_counter_add(&loop->connections_open, 1);
    grpc_connection_touch(c);
}

void grpc_connection_close(struct grpc_connection *c)
{
    if (c->state == GRPC_CONN_CLOSED)
        return;
    session_end(c);
    event_del(&c->readable);
    event_del(&c->writable);
    grpc_transport_close(&c->transport);
    if (c->dirty)
        LIST_REMOVE(c, dirty_links);
    c->dirty = false;
    state_set(c, GRPC_CONN_CLOSED);
    LIST_REMOVE(c, links);
    LIST_INSERT_HEAD(&c->loop->closed, c, links);
    grpc_counter_add(&c->loop->connections_open, -1);
}

void grpc_connection_destroy(struct grpc_connection *c)
{
    grpc_connection_close(c);
    CHECK_INT(c->streams_count, ==, 0);
    CHECK_INT(c->queued_bytes, ==, 0);
    CHECK_INT(c->request_bytes, ==, 0);
    while (!LIST_EMPTY(&c->calls))
        grpc_call_free(LIST_FIRST(&c->calls));
    bytes_clear(&c->unsent);
    LIST_REMOVE(c, links);
    free(c);
}

// --- ends ---
void grpc_connection_break(struct grpc_connection *c, uint32_t http2_error, const char *text)
{
    if (c->broken || c->session == NULL)
        return;
    log_debug("grpc", "closing a connection: %s", text);
    c->broken = true;
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(c->session), http2_error,
                                (const uint8_t *)text, strlen(text));
    grpc_connection_touch(c);
}

void grpc_connection_drain(struct grpc_connection *c, const char *reason, int64_t cut_mono_ns)
{
    if (cut_mono_ns < c->cut_mono_ns)
        c->cut_mono_ns = cut_mono_ns;
    if (c->state != GRPC_CONN_OPEN)
        return;
    if (!c->established) { // no call was accepted yet
        grpc_connection_close(c);
        return;
    }
    state_set(c, GRPC_CONN_NOTICED);
    c->drain_reason = reason;
    (void)nghttp2_submit_shutdown_notice(c->session);
    grpc_connection_touch(c);
}

// nghttp2 sends a PING before all that waits, so it must not wait together with the notice.
void grpc_connection_goaway_sent(struct grpc_connection *c)
{
    if (c->state == GRPC_CONN_NOTICED)
        (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, drain_ping);
}

void grpc_connection_drain_finish(struct grpc_connection *c)
{
    if (c->state != GRPC_CONN_NOTICED)
        return;
    state_set(c, GRPC_CONN_FINAL);
    (void)nghttp2_submit_goaway(
        c->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(c->session),
        NGHTTP2_NO_ERROR, (const uint8_t *)c->drain_reason, strlen(c->drain_reason));
    // A stream has no natural end; its client can begin it again elsewhere.
    struct grpc_call *call = LIST_FIRST(&c->calls);
    while (call != NULL) {
        struct grpc_call *next = LIST_NEXT(call, links);
        if (call->known)
            grpc_call_refuse(call, GRPC_UNAVAILABLE, "the connection is being closed");
        call = next;
    }
    grpc_connection_touch(c);
}

void grpc_connection_ping_answered(struct grpc_connection *c, const uint8_t *opaque_data)
{
    if (memcmp(opaque_data, drain_ping, sizeof(drain_ping)) == 0)
        grpc_connection_drain_finish(c);
}
