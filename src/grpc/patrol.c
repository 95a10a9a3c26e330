// SPDX-License-Identifier: Apache-2.0
// Every time limit of a connection, looked at a few times a second: no timers to keep, and a
// limit's whole rule on one line. Per-call deadlines alone have timers (call.c).
#include "grpc/call.h"

#include "base/clock.h"
#include "base/log.h"

#include <limits.h>

#define DRAIN_NOTICE_MAX_NS (5 * NS_PER_S) // how long a round trip may take
#define ENDING_MAX_NS       NS_PER_S       // for the peer to read our last words and to close

static bool over(const struct grpc_connection *c, int64_t since_mono_ns, int64_t limit_ms)
{
    return c->loop->now_mono_ns - since_mono_ns > limit_ms * NS_PER_MS;
}

static void close_late(struct grpc_connection *c, const char *what)
{
    log_debug("grpc", "closing a connection: %s", what);
    grpc_connection_close(c);
}

// False: the connection is closed.
static bool calls_check(struct grpc_connection *c)
{
    const struct grpc_server_config *config = &c->loop->core->config;
    struct grpc_call *call;
    LIST_FOREACH(call, &c->calls, links) {
        if (!call->on_stream)
            continue;
        const bool late = over(c, call->begun_mono_ns, config->request_timeout_ms);
        if (late && !call->headers_in && !call->refused) {
            close_late(c, "a header block does not end"); // nothing else can come through
            return false;
        }
        const bool waiting = !call->half_closed && !call->refused && !call->ended;
        if (late && waiting && call->header.route->method.kind != GRPC_BIDI_STREAM)
            grpc_call_reset(call, NGHTTP2_CANCEL);
        const bool unsent = call->answer.length > call->answer_at;
        if (unsent && over(c, call->moved_mono_ns, config->stall_timeout_ms))
            grpc_call_reset(call, NGHTTP2_CANCEL);
    }
    return true;
}

static void keepalive_check(struct grpc_connection *c)
{
    const struct grpc_server_config *config = &c->loop->core->config;
    if (!c->reading || !over(c, c->heard_mono_ns, config->keepalive_ms))
        return;
    if (!c->keepalive_asked) {
        c->keepalive_asked = true;
        (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
        grpc_connection_touch(c);
    } else if (over(c, c->heard_mono_ns, config->keepalive_ms + config->keepalive_timeout_ms)) {
        close_late(c, "no answer to a keepalive PING");
    }
}

static void age_check(struct grpc_connection *c)
{
    const struct grpc_server_config *config = &c->loop->core->config;
    const int64_t now = c->loop->now_mono_ns;
    const int64_t cut = now + config->age_grace_ms * NS_PER_MS;
    const bool idle = c->streams_count == 0 && config->idle_max_ms > 0 &&
                      over(c, c->idle_mono_ns, config->idle_max_ms);
    if (c->state == GRPC_CONN_OPEN && idle)
        grpc_connection_drain(c, "max_idle", cut);
    else if (c->state == GRPC_CONN_OPEN && now >= c->age_mono_ns)
        grpc_connection_drain(c, "max_age", cut);
}

static void check(struct grpc_connection *c)
{
    const struct grpc_server_config *config = &c->loop->core->config;
    const int64_t now = c->loop->now_mono_ns;
    if (c->state == GRPC_CONN_ENDING) {
        if (now - c->state_mono_ns > ENDING_MAX_NS || now >= c->cut_mono_ns)
            grpc_connection_close(c);
        return;
    }
    if (!c->established && over(c, c->opened_mono_ns, config->handshake_timeout_ms)) {
        close_late(c, "no HTTP/2 preface and SETTINGS in time");
    } else if (c->unsent.length > 0 && over(c, c->moved_mono_ns, config->stall_timeout_ms)) {
        close_late(c, "the peer does not read");
    } else if (now >= c->cut_mono_ns) {
        c->loop->calls_cut += (int64_t)c->streams_count;
        close_late(c, "the grace time is over");
    } else if (calls_check(c)) {
        if (c->state == GRPC_CONN_NOTICED && now - c->state_mono_ns > DRAIN_NOTICE_MAX_NS)
            grpc_connection_drain_finish(c);
        age_check(c);
        if (c->state < GRPC_CONN_ENDING)
            keepalive_check(c);
    }
}

void grpc_connections_sweep(struct grpc_loop *loop)
{
    loop->now_mono_ns = clock_mono_ns();
    struct grpc_connection *c = LIST_FIRST(&loop->connections);
    while (c != NULL) {
        struct grpc_connection *next = LIST_NEXT(c, links);
        check(c); // may close it, but frees nothing before the turn ends
        c = next;
    }
}
