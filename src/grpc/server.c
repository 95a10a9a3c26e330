// SPDX-License-Identifier: Apache-2.0
#include "grpc/server.h"

#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "grpc/call.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPS_MAX       64
#define WATCHES_MAX     8  // a loop
#define ACCEPTS_A_TURN  64 // then others have their turn
#define SWEEP_MS        100
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS) // when descriptors or memory ran out

struct watch {
    struct event *event; // owned
    void (*on_readable)(void *ctx);
    void *ctx;
};

struct worker {
    struct grpc_loop loop;
    struct grpc_server *server;
    pthread_t thread;
    int listen_fd, wake_fd;                      // owned
    struct event *accepting, *waking, *sweeping; // owned
    struct watch watches[WATCHES_MAX];
    size_t watches_count;
    // the loop's thread
    int64_t accept_again_mono_ns; // 0: not paused
    bool draining;
};

struct grpc_server {
    // fixed after create
    struct grpc_core core;
    struct grpc_route *routes; // owned
    struct worker *workers;    // owned
    size_t workers_count;
    int port;
    bool started;
    // shared: set once by stop before it wakes the loops
    _Atomic int64_t cut_mono_ns; // 0: not stopping
};

// --- accept ---
static int64_t connections_open(struct grpc_server *server)
{
    int64_t sum = 0;
    for (size_t i = 0; i < server->workers_count; i++)
        sum +=
            atomic_load_explicit(&server->workers[i].loop.connections_open, memory_order_relaxed);
    return sum;
}

static void accept_pause(struct worker *w)
{
    log_warn("grpc", "cannot accept connections: %s; trying again shortly", strerror(errno));
    event_del(w->accepting);
    w->accept_again_mono_ns = w->loop.now_mono_ns + ACCEPT_PAUSE_NS;
}

static void on_accept(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    struct worker *w = arg;
    w->loop.now_mono_ns = clock_mono_ns();
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        const int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (peer < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                accept_pause(w);
            return; // otherwise there is none, or it has gone again
        }
        if (connections_open(w->server) >= w->server->core.config.connections_max)
            close(peer); // clients try another replica, or later
        else
            grpc_connection_open(&w->loop, peer);
    }
}

// --- the loop ---
static void drain_start(struct worker *w, int64_t cut_mono_ns)
{
    if (w->draining)
        return;
    w->draining = true;
    w->loop.calls_cut = 0; // from here on they count
    event_del(w->accepting);
    close(w->listen_fd);
    w->listen_fd = -1;
    struct grpc_connection *c = LIST_FIRST(&w->loop.connections);
    while (c != NULL) {
        struct grpc_connection *next = LIST_NEXT(c, links);
        grpc_connection_drain(c, "shutdown", cut_mono_ns);
        c = next;
    }
}

static void on_sweep(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct worker *w = arg;
    grpc_connections_sweep(&w->loop);
    if (w->accept_again_mono_ns > 0 && w->loop.now_mono_ns >= w->accept_again_mono_ns &&
        !w->draining) {
        w->accept_again_mono_ns = 0;
        event_add(w->accepting, NULL);
    }
}

static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    struct worker *w = arg;
    eventfd_t ignored;
    (void)eventfd_read(fd, &ignored);
    w->loop.now_mono_ns = clock_mono_ns();
    drain_start(w, atomic_load(&w->server->cut_mono_ns));
}

static void on_watch(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    const struct watch *watch = arg;
    watch->on_readable(watch->ctx);
}

// Over when nothing is left: no connection, no handler that owes an answer; or at the grace's end.
static bool worker_done(const struct worker *w)
{
    const struct grpc_loop *loop = &w->loop;
    if (!w->draining || !LIST_EMPTY(&loop->connections))
        return false;
    return LIST_EMPTY(&loop->closed) || clock_mono_ns() >= atomic_load(&w->server->cut_mono_ns);
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    while (!worker_done(w)) {
        event_base_loop(w->loop.base, EVLOOP_ONCE);
        grpc_connections_flush(&w->loop);
    }
    return NULL;
}

// --- create and destroy ---
static void config_defaults(struct grpc_server_config *c)
{
#define DEFAULT(field, value) c->field = c->field != 0 ? c->field : (value)
    DEFAULT(address, "0.0.0.0");
    DEFAULT(streams_max, 256);
    DEFAULT(connections_max, 10000);
    DEFAULT(message_bytes_max, 4 * 1024 * 1024);
    DEFAULT(header_list_bytes_max, 8 * 1024);
    DEFAULT(unsent_bytes_max, 1024 * 1024);
    DEFAULT(ping_interval_min_ms, 10 * 1000);
    DEFAULT(resets_burst_max, 1000);
    DEFAULT(resets_per_s, 330);
    DEFAULT(handshake_timeout_ms, 10 * 1000);
    DEFAULT(request_timeout_ms, 60 * 1000);
    DEFAULT(stall_timeout_ms, 30 * 1000);
    DEFAULT(age_grace_ms, 30 * 1000);
    DEFAULT(keepalive_ms, 2 * 3600 * 1000);
    DEFAULT(keepalive_timeout_ms, 20 * 1000);
#undef DEFAULT
}

static void core_init(struct grpc_server *s, const struct grpc_server_config *config,
                      const struct grpc_method *methods, size_t count)
{
    struct grpc_core *core = &s->core;
    core->config = *config;
    config_defaults(&core->config);
    s->routes = xcalloc(count, sizeof(*s->routes));
    for (size_t i = 0; i < count; i++) {
        CHECK((methods[i].kind == GRPC_BIDI_STREAM) == (methods[i].on_half_close != NULL));
        s->routes[i] = (struct grpc_route){methods[i], strlen(methods[i].path)};
        if (methods[i].state_bytes > core->state_bytes_max)
            core->state_bytes_max = methods[i].state_bytes;
    }
    core->rules = (struct grpc_header_rules){s->routes, count, core->config.header_list_bytes_max};
    core->callbacks = grpc_session_callbacks();
    core->options = grpc_session_options();
}

static void worker_init(struct worker *w, struct grpc_server *server, int index, int listen_fd)
{
    struct grpc_loop *loop = &w->loop;
    w->server = server;
    w->listen_fd = listen_fd;
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK_INT(w->wake_fd, >=, 0);
    loop->core = &server->core;
    loop->index = index;
    loop->input = xmalloc(GRPC_LOOP_READ_BYTES);
    LIST_INIT(&loop->connections);
    LIST_INIT(&loop->closed);
    LIST_INIT(&loop->dirty);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    CHECK(loop->base != NULL);
    w->accepting = event_new(loop->base, listen_fd, EV_READ | EV_PERSIST, on_accept, w);
    w->waking = event_new(loop->base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    w->sweeping = event_new(loop->base, -1, EV_PERSIST, on_sweep, w);
    const struct timeval interval = {.tv_usec = SWEEP_MS * 1000};
    event_add(w->accepting, NULL);
    event_add(w->waking, NULL);
    event_add(w->sweeping, &interval);
}

static void worker_clear(struct worker *w)
{
    struct grpc_loop *loop = &w->loop;
    while (!LIST_EMPTY(&loop->connections))
        grpc_connection_destroy(LIST_FIRST(&loop->connections));
    while (!LIST_EMPTY(&loop->closed))
        grpc_connection_destroy(LIST_FIRST(&loop->closed));
    for (size_t i = 0; i < w->watches_count; i++)
        event_free(w->watches[i].event);
    event_free(w->accepting);
    event_free(w->waking);
    event_free(w->sweeping);
    event_base_free(loop->base);
    free(loop->input);
    bytes_clear(&loop->output);
    if (w->listen_fd >= 0)
        close(w->listen_fd);
    close(w->wake_fd);
}

bool grpc_server_create(struct grpc_server **out, const struct grpc_server_config *config,
                        const struct grpc_method *methods, size_t count, struct err *err)
{
    CHECK(config->loops >= 1 && config->loops <= LOOPS_MAX);
    struct grpc_server *s = xcalloc(1, sizeof(*s));
    core_init(s, config, methods, count);
    s->workers = xcalloc((size_t)config->loops, sizeof(*s->workers));
    s->port = config->port;
    for (int i = 0; i < config->loops; i++) {
        const int fd = listener_open(s->core.config.address, &s->port,
                                     i > 0 ? LISTENER_JOINING : LISTENER_FIRST, err);
        if (fd < 0) {
            grpc_server_destroy(s);
            return false;
        }
        worker_init(&s->workers[i], s, i, fd);
        s->workers_count++;
    }
    *out = s;
    return true;
}

void grpc_server_destroy(struct grpc_server *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->workers_count; i++)
        worker_clear(&s->workers[i]);
    nghttp2_session_callbacks_del(s->core.callbacks);
    nghttp2_option_del(s->core.options);
    free(s->workers);
    free(s->routes);
    free(s);
}

void grpc_server_watch(struct grpc_server *server, int loop, int fd, void (*on_readable)(void *ctx),
                       void *ctx)
{
    CHECK(!server->started && loop >= 0 && (size_t)loop < server->workers_count);
    struct worker *w = &server->workers[loop];
    CHECK_INT(w->watches_count, <, WATCHES_MAX);
    struct watch *watch = &w->watches[w->watches_count++];
    *watch = (struct watch){.on_readable = on_readable, .ctx = ctx};
    watch->event = event_new(w->loop.base, fd, EV_READ | EV_PERSIST, on_watch, watch);
    event_add(watch->event, NULL);
}

void grpc_server_start(struct grpc_server *server)
{
    server->started = true;
    for (size_t i = 0; i < server->workers_count; i++) {
        struct worker *w = &server->workers[i];
        CHECK_INT(pthread_create(&w->thread, NULL, worker_run, w), ==, 0);
        pthread_setname_np(w->thread, "grpc");
    }
}

int grpc_server_port(const struct grpc_server *server)
{
    return server->port;
}

bool grpc_server_stop(struct grpc_server *server, int64_t grace_ms)
{
    CHECK(server->started);
    atomic_store(&server->cut_mono_ns, clock_mono_ns() + grace_ms * NS_PER_MS);
    int64_t cut = 0;
    for (size_t i = 0; i < server->workers_count; i++)
        CHECK_INT(eventfd_write(server->workers[i].wake_fd, 1), ==, 0);
    for (size_t i = 0; i < server->workers_count; i++) {
        CHECK_INT(pthread_join(server->workers[i].thread, NULL), ==, 0);
        cut += server->workers[i].loop.calls_cut;
    }
    server->started = false;
    return cut == 0;
}

struct grpc_server_stats grpc_server_stats(struct grpc_server *server)
{
    struct grpc_server_stats sum = {0};
    for (size_t i = 0; i < server->workers_count; i++) {
        struct grpc_loop *loop = &server->workers[i].loop;
        sum.connections += atomic_load_explicit(&loop->connections_open, memory_order_relaxed);
        sum.calls += atomic_load_explicit(&loop->calls_open, memory_order_relaxed);
        sum.calls_total += atomic_load_explicit(&loop->calls_ended, memory_order_relaxed);
    }
    return sum;
}
