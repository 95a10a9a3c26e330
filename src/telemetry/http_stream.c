// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http_stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#define PIECE_BYTES 1024 // read at once for an HTTP/1.0 client; others get what memory there is
#define EVENTS_MAX  64   // that the watcher takes at a time
#define STOP_ID     0    // the watcher's own event; streams count from 1

struct http_stream {
    LIST_ENTRY(http_stream) links; // under the streams' mu
    // fixed after create
    struct http_streams *streams;
    struct http_stream_source source;
    struct MHD_Connection *connection;
    int fd;
    uint64_t id; // what the watcher knows it by: it may hear of a stream that is closed already
    // shared, under the streams' mu
    bool asleep;
    bool woken; // since it fell asleep last
    bool ended; // read is not called again
};

struct http_streams {
    // fixed after create
    int epoll_fd, stop_fd; // owned
    pthread_t watcher;
    // Shared, under mu. Held for a few instructions and while libmicrohttpd marks a connection,
    // never while read, on_open or on_close run: their owner may hold a lock of its own around
    // http_stream_wake and take the same one in them.
    pthread_mutex_t mu;
    LIST_HEAD(, http_stream) open;
    uint64_t last_id;
    bool ending;
};

// A sleeping connection is suspended, and is resumed once: both under mu, so that they alternate.
static void wake_locked(struct http_stream *s)
{
    s->woken = true;
    if (!s->asleep)
        return;
    s->asleep = false;
    MHD_resume_connection(s->connection);
}

static void end_locked(struct http_stream *s)
{
    s->ended = true;
    wake_locked(s);
}

void http_stream_wake(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->streams->mu);
    wake_locked(stream);
    pthread_mutex_unlock(&stream->streams->mu);
}

void http_streams_end(struct http_streams *streams)
{
    pthread_mutex_lock(&streams->mu);
    streams->ending = true;
    struct http_stream *s;
    LIST_FOREACH(s, &streams->open, links)
        end_locked(s);
    pthread_mutex_unlock(&streams->mu);
}

// --- the watcher: clients that go away ---
static void end_by_id(struct http_streams *streams, uint64_t id)
{
    pthread_mutex_lock(&streams->mu);
    struct http_stream *s;
    LIST_FOREACH(s, &streams->open, links) {
        if (s->id == id)
            end_locked(s);
    }
    pthread_mutex_unlock(&streams->mu);
}

static void *watch(void *arg)
{
    struct http_streams *streams = arg;
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        const int count = epoll_wait(streams->epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 == STOP_ID)
                return NULL;
            end_by_id(streams, events[i].data.u64);
        }
    }
}

// One shot: a stream is told once. Without a watch (the kernel's limit is reached) the next write
// finds out.
static void watch_add(struct http_stream *s)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = s->id};
    (void)epoll_ctl(s->streams->epoll_fd, EPOLL_CTL_ADD, s->fd, &event);
}

struct http_streams *http_streams_create(void)
{
    struct http_streams *streams = xcalloc(1, sizeof(*streams));
    streams->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    streams->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(streams->epoll_fd >= 0 && streams->stop_fd >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = STOP_ID};
    CHECK_INT(epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, streams->stop_fd, &event), ==, 0);
    pthread_mutex_init(&streams->mu, NULL);
    LIST_INIT(&streams->open);
    CHECK_INT(pthread_create(&streams->watcher, NULL, watch, streams), ==, 0);
    pthread_setname_np(streams->watcher, "stream watcher");
    return streams;
}

void http_streams_destroy(struct http_streams *streams)
{
    CHECK(LIST_EMPTY(&streams->open));
    CHECK_INT(eventfd_write(streams->stop_fd, 1), ==, 0);
    CHECK_INT(pthread_join(streams->watcher, NULL), ==, 0);
    close(streams->epoll_fd);
    close(streams->stop_fd);
    pthread_mutex_destroy(&streams->mu);
    free(streams);
}

// --- one stream, called by libmicrohttpd on the connection's thread ---
static bool is_ended(struct http_stream *s)
{
    pthread_mutex_lock(&s->streams->mu);
    const bool ended = s->ended;
    pthread_mutex_unlock(&s->streams->mu);
    return ended;
}

// False: a wake came since read was asked, ask again.
static bool fall_asleep(struct http_stream *s)
{
    pthread_mutex_lock(&s->streams->mu);
    s->asleep = !s->woken;
    s->woken = false;
    if (s->asleep)
        MHD_suspend_connection(s->connection);
    const bool asleep = s->asleep;
    pthread_mutex_unlock(&s->streams->mu);
    return asleep;
}

static ssize_t on_read(void *arg, uint64_t at, char *out, size_t max)
{
    (void)at;
    struct http_stream *s = arg;
    while (!is_ended(s)) {
        const int64_t n = s->source.read(s->source.ctx, out, max);
        CHECK_INT(n, <=, max);
        if (n != 0)
            return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
        if (fall_asleep(s))
            return 0;
    }
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_destroy(void *arg)
{
    struct http_stream *s = arg;
    pthread_mutex_lock(&s->streams->mu);
    CHECK(!s->asleep);
    LIST_REMOVE(s, links);
    // The connection may live on and open another stream.
    (void)epoll_ctl(s->streams->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    pthread_mutex_unlock(&s->streams->mu);
    s->source.on_close(s->source.ctx);
    free(s);
}

static struct http_stream *stream_create(struct http_streams *streams,
                                         struct MHD_Connection *connection,
                                         const struct http_stream_source *source, bool silent)
{
    struct http_stream *s = xcalloc(1, sizeof(*s));
    *s = (struct http_stream){.streams = streams, .source = *source, .connection = connection};
    s->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    pthread_mutex_lock(&streams->mu);
    s->id = ++streams->last_id;
    s->ended = silent || streams->ending;
    LIST_INSERT_HEAD(&streams->open, s, links);
    watch_add(s);
    pthread_mutex_unlock(&streams->mu);
    return s;
}

struct MHD_Response *http_stream_response(struct http_streams *streams,
                                          struct MHD_Connection *connection,
                                          const struct http_stream_source *source, bool silent)
{
    struct http_stream *s = stream_create(streams, connection, source, silent);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, on_read, s, on_destroy);
    CHECK(response != NULL);
    // libmicrohttpd would end the chunks that a HEAD request does not get; this flag is without.
    if (silent)
        CHECK(MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END) ==
              MHD_YES);
    source->on_open(source->ctx, s);
    return response;
}
