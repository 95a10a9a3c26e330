// SPDX-License-Identifier: Apache-2.0
// The server: its life, and from a request to its route. libmicrohttpd does the HTTP; we set its
// limits and take the target apart ourselves, since it decodes the path before one can see where
// its segments end.
//
// What a stranger can hold: connections_max connections of CONNECTION_BYTES each, for
// idle_timeout_s without a byte moved. A request head that does not fit is answered 414 or 431.
#include "telemetry/http.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/int128.h"
#include "base/listener.h"
#include "telemetry/http_exchange.h"
#include "telemetry/http_record.h"
#include "telemetry/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_DEFAULT  2000
#define IDLE_TIMEOUT_DEFAULT 60
#define THREADS_MAX          64
#define CONNECTION_BYTES     16384 // request head and what is being written of the answer
#define BODY_BYTES_MAX       65536 // no route wants a body: enough for a client that sends one
#define DRAIN_MS_DEFAULT     2000

struct http_server {
    // fixed after create
    struct MHD_Daemon *daemon; // owned; not for handlers, which may run before it is set
    struct http_route *routes; // owned
    size_t routes_count;
    struct http_streams *streams;   // owned
    struct http_recorder *recorder; // owned
    const char *name;               // borrowed
    int listen_fd;                  // the daemon's
    int port, drain_ms;
    // shared
    _Atomic bool ending;
    _Atomic int answering; // requests with an answer that is not written yet
    pthread_mutex_t mu;
    pthread_cond_t idle; // ending, and answering became 0
};

// One request, from its first line until its answer is written.
struct request {
    bool begun;     // its head has been seen
    bool answering; // counted in the server
    struct http_record record;
    char target[];
};

// --- from a request to its route ---
static bool method_fits(const char *offered, const char *asked)
{
    return strcmp(offered, asked) == 0 ||
           (strcmp(offered, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static void allow_add(struct bytes *allow, const char *method)
{
    bytes_append_text(allow, allow->length > 0 ? ", " : "");
    bytes_append_text(allow, strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

// NULL: none; allow then lists the methods of the routes with this path.
static const struct http_route *route_find(const struct http_server *server,
                                           struct http_exchange *exchange, const char *method,
                                           struct bytes *allow)
{
    for (size_t i = 0; i < server->routes_count; i++) {
        const struct http_route *route = &server->routes[i];
        if (!http_path_match(route->path, exchange->target.path, &exchange->variable))
            continue;
        if (method_fits(route->method, method))
            return route;
        allow_add(allow, route->method);
    }
    return NULL;
}

static void answer_without_route(struct http_exchange *exchange, const char *method,
                                 const struct bytes *allow)
{
    if (allow->length == 0) {
        http_problem(exchange, 404, "nothing is at %s", exchange->target.path);
        return;
    }
    http_header_add(exchange, "Allow", (const char *)allow->data);
    http_problem(exchange, 405, "%s is not allowed here", method);
}

static void answer(const struct http_server *server, struct http_exchange *exchange,
                   struct request *request, const char *method)
{
    if (!http_target_parse(request->target, &exchange->target)) {
        http_problem(exchange, 400, "the request's target is malformed");
        return;
    }
    http_record_path(server->recorder, &request->record, exchange->target.path);
    struct bytes allow = {0};
    const struct http_route *route = route_find(server, exchange, method, &allow);
    if (route == NULL) {
        answer_without_route(exchange, method, &allow);
    } else {
        request->record.route = route;
        if (exchange->variable != NULL)
            http_percent_decode(exchange->variable);
        route->on_request(exchange, route->ctx);
    }
    bytes_clear(&allow);
}

// Decided by the head alone, so that nothing of a refused body is read. Answering this early makes
// libmicrohttpd close the connection.
static void refuse_body(struct http_exchange *exchange, const char *method)
{
    const char *length = http_header(exchange, "Content-Length");
    const bool takes_body = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
    int64_t bytes = 0;
    if (http_header(exchange, "Transfer-Encoding") != NULL)
        http_problem(exchange, 411, "send a Content-Length instead of chunks");
    else if (length != NULL && (!int64_parse(length, strlen(length), &bytes) ||
                                bytes > (takes_body ? BODY_BYTES_MAX : 0)))
        http_problem(exchange, 413, "the body may have %d bytes", takes_body ? BODY_BYTES_MAX : 0);
}

// --- what libmicrohttpd calls, on its threads ---
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg, (void)connection;
    const size_t bytes = target != NULL ? strlen(target) + 1 : 0; // at most CONNECTION_BYTES
    struct request *request = xcalloc(1, sizeof(*request) + bytes + 1);
    if (bytes > 0)
        memcpy(request->target, target, bytes);
    http_record_begin(&request->record);
    return request;
}

// Called when the head is there, then with each piece of the body, then once more.
static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *body,
                                 size_t *body_bytes, void **state)
{
    (void)url, (void)body;
    struct http_server *server = arg;
    struct request *request = *state;
    if (*body_bytes > 0) {
        *body_bytes = 0; // dropped
        return MHD_YES;
    }
    struct http_exchange exchange = {
        .connection = connection,
        .streams = server->streams,
        .head = strcmp(method, "HEAD") == 0,
        .closing = atomic_load_explicit(&server->ending, memory_order_relaxed),
        .queued = MHD_YES,
    };
    if (!request->begun) {
        request->begun = true;
        http_record_head(&request->record, method, version);
        refuse_body(&exchange, method);
    } else {
        request->answering = true;
        atomic_fetch_add(&server->answering, 1);
        answer(server, &exchange, request, method);
        CHECK(exchange.answered);
    }
    request->record.status = exchange.status;
    http_exchange_clear(&exchange);
    return exchange.queued;
}

// The answer is written or given up; its response, and with it a stream, ends right after this.
static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_server *server = arg;
    struct request *request = *state;
    http_record_end(server->recorder, &request->record, connection);
    // Sequentially consistent on both sides: either this sees ending, or who waits sees 0.
    if (request->answering && atomic_fetch_sub(&server->answering, 1) == 1 &&
        atomic_load(&server->ending)) {
        pthread_mutex_lock(&server->mu);
        pthread_cond_signal(&server->idle);
        pthread_mutex_unlock(&server->mu);
    }
    free(request);
    *state = NULL;
}

// --- life ---
static struct MHD_Daemon *daemon_start(struct http_server *server, const struct http_config *config)
{
    const int connections =
        config->connections_max > 0 ? config->connections_max : CONNECTIONS_DEFAULT;
    const int timeout_s =
        config->idle_timeout_s > 0 ? config->idle_timeout_s : IDLE_TIMEOUT_DEFAULT;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, server->listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
        {config->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, config->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                            on_access, server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static struct http_server *server_create(const struct http_config *config,
                                         const struct http_route *routes, size_t count)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->routes = xcalloc(count, sizeof(*routes));
    memcpy(server->routes, routes, count * sizeof(*routes));
    server->routes_count = count;
    server->streams = http_streams_create();
    server->recorder = http_recorder_create(server->routes, config->traced);
    server->drain_ms = config->drain_ms > 0 ? config->drain_ms : DRAIN_MS_DEFAULT;
    server->name = config->name != NULL ? config->name : "";
    pthread_mutex_init(&server->mu, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->idle, &attributes);
    pthread_condattr_destroy(&attributes);
    return server;
}

static void server_free(struct http_server *server)
{
    http_streams_destroy(server->streams);
    http_recorder_destroy(server->recorder);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->mu);
    free(server->routes);
    free(server);
}

static void on_scrape(struct metrics_scrape *scrape, void *arg)
{
    const struct http_server *server = arg;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    METRIC_PUT(scrape, METRIC_HTTP_CONNECTIONS, info->num_connections, server->name);
}

bool http_server_create(struct http_server **out, const struct http_config *config,
                        const struct http_route *routes, size_t count, struct err *err)
{
    CHECK(config->threads >= 1 && config->threads <= THREADS_MAX && count > 0);
    int port = config->port;
    const int fd = listener_open(config->address, &port, LISTENER_ALONE, err);
    if (fd < 0)
        return false;
    struct http_server *server = server_create(config, routes, count);
    server->listen_fd = fd;
    server->port = port;
    server->daemon = daemon_start(server, config);
    if (server->daemon == NULL) {
        err_set(err, ERR_UNAVAILABLE, "start the HTTP server on %s port %d: %s", config->address,
                port, strerror(errno));
        server_free(server);
        return false;
    }
    metrics_collect(on_scrape, server);
    *out = server;
    return true;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

static void drain(struct http_server *server)
{
    const int64_t end_mono_ns = clock_mono_ns() + server->drain_ms * NS_PER_MS;
    const struct timespec end = {end_mono_ns / NS_PER_S, end_mono_ns % NS_PER_S};
    pthread_mutex_lock(&server->mu);
    int rc = 0;
    while (rc == 0 && atomic_load(&server->answering) > 0)
        rc = pthread_cond_timedwait(&server->idle, &server->mu, &end);
    pthread_mutex_unlock(&server->mu);
}

// The listening socket is shut down rather than taken away with MHD_quiesce_daemon, which can meet
// the daemon's own thread doing the same and then aborts (libmicrohttpd 0.9.75).
void http_server_destroy(struct http_server *server)
{
    if (server == NULL)
        return;
    metrics_collect_end(server);
    atomic_store(&server->ending, true);
    (void)shutdown(server->listen_fd, SHUT_RDWR);
    http_streams_end(server->streams);
    drain(server);
    MHD_stop_daemon(server->daemon);
    server_free(server);
}
