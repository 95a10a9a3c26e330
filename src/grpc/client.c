// SPDX-License-Identifier: Apache-2.0
// A channel: its connection from the first address tried to the last byte, and who may call.
#include "grpc/client.h"

#include "base/clock.h"
#include "grpc/channel.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000
#define READ_BYTES         (64 * 1024)
#define WRITE_BYTES        (64 * 1024)

// --- the end ---
static void state_set(struct grpc_channel *c, enum grpc_channel_state state)
{
    CHECK_INT(state, >, c->state);
    c->state = state;
}

static void lose_all(struct grpc_request_list *list, enum grpc_status status, const char *text)
{
    struct grpc_request *r;
    while ((r = TAILQ_FIRST(list)) != NULL)
        grpc_request_lose(r, status, text);
}

static void addresses_free(struct grpc_channel *c)
{
    if (c->addresses != NULL)
        freeaddrinfo(c->addresses);
    c->addresses = c->address = NULL;
}

static void disconnect(struct grpc_channel *c, enum grpc_status status, const char *text)
{
    state_set(c, GRPC_CHANNEL_CLOSED);
    event_del(&c->connecting);
    event_del(&c->turning);
    event_del(&c->ticking);
    if (c->transport.ops != NULL) {
        event_del(&c->readable);
        event_del(&c->writable);
        grpc_transport_close(&c->transport);
    }
    lose_all(&c->open, status, text);
    lose_all(&c->waiting, status, text);
    nghttp2_session_del(c->session);
    c->session = NULL;
    addresses_free(c);
}

static void channel_close(struct grpc_channel *c)
{
    err_prefix(&c->why, "%s", c->name);
    disconnect(c, GRPC_UNAVAILABLE, c->why.text);
    if (c->config.on_closed != NULL)
        c->config.on_closed(c, &c->why, c->config.ctx);
}

static void channel_fail(struct grpc_channel *c, const char *why)
{
    if (c->state < GRPC_CHANNEL_LEAVING) // else that is the better reason
        err_set(&c->why, ERR_UNAVAILABLE, "%s", why);
    channel_close(c);
}

void grpc_channel_destroy(struct grpc_channel *c)
{
    if (c == NULL)
        return;
    if (c->state != GRPC_CHANNEL_CLOSED) {
        err_set(&c->why, ERR_UNAVAILABLE, "%s: the channel is closed", c->name);
        disconnect(c, GRPC_CANCELLED, "the channel is closed");
    }
    bytes_clear(&c->output);
    free(c->name);
    free(c->authority);
    free(c);
}

// --- bytes out ---
void grpc_channel_touch(struct grpc_channel *c)
{
    if (c->dirty || c->state == GRPC_CHANNEL_CONNECTING)
        return;
    c->dirty = true;
    event_active(&c->turning, EV_TIMEOUT, 0);
}

static void submit_waiting(struct grpc_channel *c)
{
    const size_t streams_max =
        nghttp2_session_get_remote_settings(c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    struct grpc_request *r;
    while (c->state == GRPC_CHANNEL_OPEN && c->streams_count < streams_max &&
           (r = TAILQ_FIRST(&c->waiting)) != NULL) {
        if (!grpc_request_submit(r))
            grpc_channel_leave(c, "the connection has no stream ids left");
    }
    if (c->state == GRPC_CHANNEL_LEAVING)
        lose_all(&c->waiting, GRPC_UNAVAILABLE, c->why.text);
}

// True: all of it is gone.
static bool write_output(struct grpc_channel *c)
{
    while (c->output_at < c->output.length) {
        const ssize_t n = grpc_transport_write(&c->transport, c->output.data + c->output_at,
                                               c->output.length - c->output_at);
        if (n == GRPC_IO_AGAIN && c->transport.want == POLLOUT)
            event_add(&c->writable, NULL);
        else if (n == GRPC_IO_FAILED)
            channel_fail(c, "the connection broke");
        if (n < 0)
            return false;
        c->output_at += (size_t)n;
    }
    bytes_reset(&c->output);
    c->output_at = 0;
    return true;
}

// Up to one large write of what nghttp2 has to send. False: it has nothing, or it failed.
static bool fill_output(struct grpc_channel *c)
{
    while (c->output.length < WRITE_BYTES) {
        const uint8_t *frames;
        const ssize_t n = nghttp2_session_mem_send(c->session, &frames);
        if (n < 0)
            channel_fail(c, nghttp2_strerror((int)n));
        if (n <= 0)
            break;
        bytes_append(&c->output, frames, (size_t)n);
    }
    return c->state != GRPC_CHANNEL_CLOSED && c->output.length > 0;
}

// The last call of a channel that is leaving has ended, or nghttp2 has given up on the peer.
static bool over(const struct grpc_channel *c)
{
    return (c->state == GRPC_CHANNEL_LEAVING && c->streams_count == 0) ||
           !nghttp2_session_want_read(c->session);
}

static void flush(struct grpc_channel *c)
{
    c->dirty = false;
    submit_waiting(c);
    while (write_output(c)) {
        if (fill_output(c))
            continue;
        if (c->state != GRPC_CHANNEL_CLOSED && over(c))
            channel_fail(c, "the server broke a rule of HTTP/2");
        return;
    }
}

static void on_turn(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    flush(arg);
}

// --- bytes in ---
static void on_readable(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct grpc_channel *c = arg;
    uint8_t input[READ_BYTES];
    const ssize_t n = grpc_transport_read(&c->transport, input, sizeof(input));
    if (n == GRPC_IO_AGAIN) {
        if (c->transport.want == POLLOUT)
            event_add(&c->writable, NULL);
        return;
    }
    if (n <= 0) {
        channel_fail(c, n == 0 ? "the server closed the connection" : "the connection broke");
        return;
    }
    const ssize_t taken = nghttp2_session_mem_recv(c->session, input, (size_t)n);
    if (taken < 0) {
        channel_fail(c, nghttp2_strerror((int)taken));
        return;
    }
    c->dirty = true; // also where touch does not reach: the handshake
    event_active(&c->turning, EV_TIMEOUT, 0);
}

// --- connecting ---
static bool connect_start(struct grpc_channel *c);

static void connected(struct grpc_channel *c)
{
    addresses_free(c);
    c->session = grpc_channel_session(c);
    event_add(&c->readable, NULL);
    flush(c);
}

static void on_writable(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    struct grpc_channel *c = arg;
    if (c->session != NULL) {
        flush(c);
        return;
    }
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0) {
        connected(c);
        return;
    }
    err_set(&c->why, ERR_UNAVAILABLE, "connect: %s", strerror(error));
    grpc_transport_close(&c->transport);
    c->address = c->address->ai_next;
    if (!connect_start(c))
        channel_close(c);
}

static bool connect_one(struct grpc_channel *c)
{
    const struct addrinfo *at = c->address;
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, at->ai_addr, at->ai_addrlen) < 0 && errno != EINPROGRESS)) {
        err_set(&c->why, ERR_UNAVAILABLE, "connect: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    grpc_transport_tcp(&c->transport, fd);
    event_assign(&c->readable, c->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->writable, c->base, fd, EV_WRITE, on_writable, c);
    event_add(&c->writable, NULL);
    return true;
}

// Tries one address after the other. False: none is left; c->why tells of the last.
static bool connect_start(struct grpc_channel *c)
{
    for (; c->address != NULL; c->address = c->address->ai_next) {
        if (connect_one(c))
            return true;
    }
    return false;
}

static void on_connect_timeout(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    channel_fail(arg, "no HTTP/2 connection in time");
}

void grpc_channel_ready(struct grpc_channel *c)
{
    if (c->state != GRPC_CHANNEL_CONNECTING)
        return;
    event_del(&c->connecting);
    state_set(c, GRPC_CHANNEL_OPEN);
}

void grpc_channel_leave(struct grpc_channel *c, const char *why)
{
    if (c->state >= GRPC_CHANNEL_LEAVING)
        return;
    err_set(&c->why, ERR_UNAVAILABLE, "%s", why);
    state_set(c, GRPC_CHANNEL_LEAVING);
    grpc_channel_touch(c);
}

// --- deadlines ---
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct grpc_channel *c = arg;
    struct grpc_timed_list due = LIST_HEAD_INITIALIZER(due);
    grpc_wheel_turn(&c->wheel, clock_mono_ns(), &due);
    struct grpc_timed *t;
    while ((t = LIST_FIRST(&due)) != NULL)
        grpc_request_abandon(CONTAINER_OF(t, struct grpc_request, timed), GRPC_DEADLINE_EXCEEDED,
                             "the deadline has passed");
    if (c->wheel.count == 0)
        event_del(&c->ticking);
}

static void ticks_start(struct grpc_channel *c)
{
    if (c->wheel.count == 0 || event_pending(&c->ticking, EV_TIMEOUT, NULL))
        return;
    const struct timeval tick = {.tv_usec = GRPC_WHEEL_TICK_MS * 1000};
    event_add(&c->ticking, &tick);
}

// --- create and call ---
static bool resolve(struct grpc_channel *c, const struct grpc_channel_config *config,
                    struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const int rc = getaddrinfo(config->host, config->port, &hints, &c->addresses);
    if (rc != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", c->name, gai_strerror(rc));
    c->address = c->addresses;
    return true;
}

static bool start(struct grpc_channel *c, const struct grpc_channel_config *config, struct err *err)
{
    if (!resolve(c, config, err))
        return false;
    if (!connect_start(c))
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", c->name, c->why.text);
    const int64_t timeout_ms =
        config->connect_timeout_ms > 0 ? config->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    event_add(&c->connecting, &timeout);
    return true;
}

bool grpc_channel_create(struct grpc_channel **out, struct event_base *base,
                         const struct grpc_channel_config *config, struct err *err)
{
    struct grpc_channel *c = xcalloc(1, sizeof(*c));
    const bool v6 = strchr(config->host, ':') != NULL;
    c->base = base;
    c->config = *config;
    c->name = xasprintf("grpc %s port %s", config->host, config->port);
    c->authority = xasprintf(v6 ? "[%s]:%s" : "%s:%s", config->host, config->port);
    TAILQ_INIT(&c->waiting);
    TAILQ_INIT(&c->open);
    grpc_wheel_init(&c->wheel, clock_mono_ns());
    evtimer_assign(&c->connecting, base, on_connect_timeout, c);
    evtimer_assign(&c->turning, base, on_turn, c);
    event_assign(&c->ticking, base, -1, EV_PERSIST, on_tick, c);
    if (!start(c, config, err)) {
        grpc_channel_destroy(c);
        return false;
    }
    *out = c;
    return true;
}

bool grpc_channel_call(struct grpc_channel *c, const struct grpc_call_spec *spec, struct err *err)
{
    if (c->state >= GRPC_CHANNEL_LEAVING) {
        *err = c->why;
        return false;
    }
    grpc_request_create(c, spec);
    ticks_start(c);
    grpc_channel_touch(c);
    return true;
}
