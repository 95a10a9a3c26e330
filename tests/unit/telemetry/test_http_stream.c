// SPDX-License-Identifier: Apache-2.0
// Streams, with the owner that http.h describes: a hub that keeps its streams in a list under a
// lock of its own and holds that lock while it wakes them.
#include "telemetry/http.h"

#include "base/clock.h"
#include "http_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct hub {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    LIST_HEAD(, subscriber) subscribers;
    int opened, closed;
    uint64_t news; // how many there have been
    bool over;     // each stream ends when it has told all news
};

struct subscriber {
    LIST_ENTRY(subscriber) links;
    struct hub *hub;
    struct http_stream *stream;
    uint64_t told;
};

static int64_t on_read(void *ctx, char *out, size_t max)
{
    struct subscriber *s = ctx;
    int64_t n = 0;
    pthread_mutex_lock(&s->hub->mu);
    if (s->told < s->hub->news)
        n = snprintf(out, max, "data: %llu\n\n", (unsigned long long)++s->told);
    else if (s->hub->over)
        n = -1;
    pthread_mutex_unlock(&s->hub->mu);
    return n;
}

static void on_open(void *ctx, struct http_stream *stream)
{
    struct subscriber *s = ctx;
    pthread_mutex_lock(&s->hub->mu);
    s->stream = stream;
    LIST_INSERT_HEAD(&s->hub->subscribers, s, links);
    s->hub->opened++;
    http_stream_wake(stream); // allowed already here, and not needed: read is called anyway
    pthread_cond_broadcast(&s->hub->changed);
    pthread_mutex_unlock(&s->hub->mu);
}

static void on_close(void *ctx)
{
    struct subscriber *s = ctx;
    pthread_mutex_lock(&s->hub->mu);
    http_stream_wake(s->stream); // still allowed here
    LIST_REMOVE(s, links);
    s->hub->closed++;
    pthread_cond_broadcast(&s->hub->changed);
    pthread_mutex_unlock(&s->hub->mu);
    free(s);
}

static void on_stream(struct http_exchange *exchange, void *ctx)
{
    struct subscriber *s = xcalloc(1, sizeof(*s));
    s->hub = ctx;
    http_header_add(exchange, "Cache-Control", "no-store");
    http_answer_stream(exchange, "text/event-stream", on_read, on_open, on_close, s);
}

static void wake_all(struct hub *hub, int news, bool over)
{
    pthread_mutex_lock(&hub->mu);
    hub->news += (uint64_t)news;
    hub->over |= over;
    struct subscriber *s;
    LIST_FOREACH(s, &hub->subscribers, links)
        http_stream_wake(s->stream);
    pthread_mutex_unlock(&hub->mu);
}

// Waits until as many streams have opened and closed in all.
static void await_counts(struct hub *hub, int opened, int closed)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += CLIENT_TIMEOUT_S;
    int rc = 0;
    pthread_mutex_lock(&hub->mu);
    while (rc == 0 && (hub->opened < opened || hub->closed < closed))
        rc = pthread_cond_timedwait(&hub->changed, &hub->mu, &end);
    EXPECT(rc == 0 && hub->opened == opened && hub->closed == closed,
           "opened %d, want %d; closed %d, want %d", hub->opened, opened, hub->closed, closed);
    pthread_mutex_unlock(&hub->mu);
}

// --- has nothing to say at first, but is woken while it says so ---
struct hasty {
    struct http_stream *stream;
    int reads;
};

static int64_t on_read_hasty(void *ctx, char *out, size_t max)
{
    struct hasty *s = ctx;
    s->reads++;
    if (s->reads == 1)
        http_stream_wake(s->stream);
    return s->reads == 2 ? snprintf(out, max, "late") : s->reads == 3 ? -1 : 0;
}

static void on_open_hasty(void *ctx, struct http_stream *stream)
{
    struct hasty *s = ctx;
    s->stream = stream;
}

static void on_close_hasty(void *ctx)
{
    free(ctx);
}

static void on_hasty(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    struct hasty *s = xcalloc(1, sizeof(*s));
    http_answer_stream(exchange, "text/plain", on_read_hasty, on_open_hasty, on_close_hasty, s);
}

// --- endless bytes, as fast as they are taken ---
static int64_t on_read_flood(void *ctx, char *out, size_t max)
{
    (void)ctx;
    memset(out, 'x', max);
    return (int64_t)max;
}

static void on_open_flood(void *ctx, struct http_stream *stream)
{
    (void)ctx, (void)stream;
}

static void on_close_flood(void *ctx)
{
    struct hub *hub = ctx;
    pthread_mutex_lock(&hub->mu);
    hub->closed++;
    pthread_mutex_unlock(&hub->mu);
}

static void on_flood(struct http_exchange *exchange, void *ctx)
{
    http_answer_stream(exchange, "text/plain", on_read_flood, on_open_flood, on_close_flood, ctx);
}

static void on_hello(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_answer(exchange, 200, "text/plain", "hello", 5);
}

struct world {
    struct hub hub;
    struct http_server *server;
};

static struct world *world_create(int threads)
{
    struct world *w = xcalloc(1, sizeof(*w));
    pthread_mutex_init(&w->hub.mu, NULL);
    pthread_cond_init(&w->hub.changed, NULL);
    LIST_INIT(&w->hub.subscribers);
    const struct http_route routes[] = {
        {"GET", "/stream", on_stream, &w->hub},
        {"GET", "/hasty", on_hasty, NULL},
        {"GET", "/flood", on_flood, &w->hub},
        {"GET", "/hello", on_hello, NULL},
    };
    const struct http_config config = {.address = "127.0.0.1", .threads = threads};
    w->server = http_serve(&config, routes, COUNT_OF(routes));
    return w;
}

// Every stream has been closed once when the server is gone, which does not take long.
static void world_destroy(struct world *w)
{
    const int64_t begin_mono_ns = clock_mono_ns();
    http_server_destroy(w->server);
    const int64_t took_ms = (clock_mono_ns() - begin_mono_ns) / NS_PER_MS;
    EXPECT(took_ms < CLIENT_TIMEOUT_S * 1000 / 2, "it took %d ms", (int)took_ms);
    assert_int_equal(w->hub.closed, w->hub.opened);
    assert_true(LIST_EMPTY(&w->hub.subscribers));
    pthread_cond_destroy(&w->hub.changed);
    pthread_mutex_destroy(&w->hub.mu);
    free(w);
}

static struct client *stream_open(struct world *w)
{
    char head[500];
    struct client *c = client_open(http_server_port(w->server));
    client_say(c, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
    client_take_until(c, "\r\n\r\n", head, sizeof(head)); // before there is anything to tell
    EXPECT(starts_with(head, "HTTP/1.1 200 OK\r\n") &&
               strstr(head, "\r\nContent-Type: text/event-stream\r\n") != NULL &&
               strstr(head, "\r\nCache-Control: no-store\r\n") != NULL,
           "%s", head);
    return c;
}

static void expect_event(struct client *c, int number)
{
    char chunk[100], want[100];
    client_chunk(c, chunk, sizeof(chunk));
    snprintf(want, sizeof(want), "data: %d\n\n", number);
    assert_string_equal(chunk, want);
}

static void a_sleeping_stream_tells_when_it_is_woken(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    wake_all(&w->hub, 1, false); // before the stream: told at once
    struct client *c = stream_open(w);
    expect_event(c, 1);
    for (int i = 2; i < 200; i++) {
        wake_all(&w->hub, 1, false);
        expect_event(c, i);
    }
    wake_all(&w->hub, 0, false); // nothing to tell, nothing sent
    wake_all(&w->hub, 2, false); // one wake, two pieces
    expect_event(c, 200);
    expect_event(c, 201);
    client_close(c);
    world_destroy(w);
}

static void a_wake_while_read_runs_is_not_lost(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    struct client *c = client_open(http_server_port(w->server));
    char head[500], chunk[100];
    client_say(c, "GET /hasty HTTP/1.1\r\nHost: test\r\n\r\n");
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    client_chunk(c, chunk, sizeof(chunk));
    assert_string_equal(chunk, "late");
    client_close(c);
    world_destroy(w);
}

static void an_ended_stream_leaves_the_connection_usable(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    struct client *c = stream_open(w);
    char head[500], body[100];
    wake_all(&w->hub, 1, true);
    expect_event(c, 1);
    client_chunk(c, body, sizeof(body));
    assert_string_equal(body, "");
    await_counts(&w->hub, 1, 1);
    client_say(c, "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    client_answer(c, head, sizeof(head), body, sizeof(body));
    assert_string_equal(body, "hello");
    client_close(c);
    world_destroy(w);
}

static void a_client_that_goes_away_is_noticed_without_a_wake(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    struct client *stays = stream_open(w), *leaves = stream_open(w), *resets = stream_open(w);
    await_counts(&w->hub, 3, 0);
    client_close(leaves);
    await_counts(&w->hub, 3, 1);
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(resets->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    client_close(resets);
    await_counts(&w->hub, 3, 2);
    wake_all(&w->hub, 1, false);
    expect_event(stays, 1);
    client_close(stays);
    await_counts(&w->hub, 3, 3);
    world_destroy(w);
}

static void a_head_request_opens_and_closes_without_a_body(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    char *all = http_ask(http_server_port(w->server), "HEAD /stream HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_true(starts_with(all, "HTTP/1.1 200 OK\r\n"));
    assert_string_equal(strstr(all, "\r\n\r\n"), "\r\n\r\n");
    free(all);
    await_counts(&w->hub, 1, 1);
    world_destroy(w);
}

static void an_old_client_gets_the_bytes_until_the_connection_ends(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    struct client *c = client_open(http_server_port(w->server));
    char head[500], body[100];
    client_say(c, "GET /stream HTTP/1.0\r\n\r\n");
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    assert_null(strstr(head, "chunked"));
    wake_all(&w->hub, 1, false);
    client_take(c, body, strlen("data: 1\n\n"));
    assert_string_equal(body, "data: 1\n\n");
    wake_all(&w->hub, 0, true);
    client_expect_closed(c);
    client_close(c);
    await_counts(&w->hub, 1, 1);
    world_destroy(w);
}

#define CLIENTS 200
#define EVENTS  20

static void many_streams_each_tell_everything(void **state)
{
    (void)state;
    struct world *w = world_create(3);
    struct client *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = stream_open(w);
    for (int i = 0; i < EVENTS; i++)
        wake_all(&w->hub, 1, false);
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = 1; k <= EVENTS; k++)
            expect_event(clients[i], k);
    }
    world_destroy(w); // with all of them open
    for (int i = 0; i < CLIENTS; i++) {
        char chunk[10];
        client_chunk(clients[i], chunk, sizeof(chunk));
        assert_string_equal(chunk, ""); // a proper end, not a cut
        client_expect_closed(clients[i]);
        client_close(clients[i]);
    }
}

static void a_client_that_does_not_read_is_cut_off_at_the_end(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    struct client *c = client_open(http_server_port(w->server));
    client_say(c, "GET /flood HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_true(client_receive(c));
    w->hub.opened = 1;
    world_destroy(w);
    client_close(c);
}

static void a_fast_reader_is_served_piece_by_piece(void **state)
{
    (void)state;
    struct world *w = world_create(1);
    struct client *c = client_open(http_server_port(w->server));
    client_say(c, "GET /flood HTTP/1.1\r\nHost: test\r\n\r\n");
    char head[500];
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    for (size_t taken = 0; taken < 5000000;) {
        static char chunk[20000];
        client_chunk(c, chunk, sizeof(chunk));
        assert_true(chunk[0] == 'x');
        taken += strlen(chunk);
    }
    client_close(c);
    w->hub.opened = 1;
    world_destroy(w);
}

// --- wakes that race with clients who come and go ---
#define VISITORS   4
#define VISITS     150
#define WAKERS     2
#define SHORT_WAIT 8 // visits that leave before the first event

struct race {
    struct world *world;
    _Atomic bool over;
};

static void *visit(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < VISITS; i++) {
        struct client *c = stream_open(race->world);
        if (i % SHORT_WAIT != 0)
            EXPECT(client_receive(c) || c->length > 0, "the stream ended");
        client_close(c);
    }
    return NULL;
}

static void *wake_on(void *arg)
{
    struct race *race = arg;
    while (!atomic_load(&race->over))
        wake_all(&race->world->hub, 1, false);
    return NULL;
}

static void wakes_may_race_with_clients_that_go_away(void **state)
{
    (void)state;
    struct race race = {.world = world_create(2)};
    pthread_t visitors[VISITORS], wakers[WAKERS];
    for (int i = 0; i < WAKERS; i++)
        pthread_create(&wakers[i], NULL, wake_on, &race);
    for (int i = 0; i < VISITORS; i++)
        pthread_create(&visitors[i], NULL, visit, &race);
    for (int i = 0; i < VISITORS; i++)
        pthread_join(visitors[i], NULL);
    await_counts(&race.world->hub, VISITORS * VISITS, VISITORS * VISITS);
    atomic_store(&race.over, true);
    for (int i = 0; i < WAKERS; i++)
        pthread_join(wakers[i], NULL);
    world_destroy(race.world);
}

static void *destroy(void *server)
{
    http_server_destroy(server);
    return NULL;
}

static void wakes_may_race_with_the_end_of_the_server(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct race race = {.world = world_create(2)};
        struct client *clients[10];
        for (size_t i = 0; i < COUNT_OF(clients); i++)
            clients[i] = stream_open(race.world);
        pthread_t waker, destroyer;
        pthread_create(&waker, NULL, wake_on, &race);
        pthread_create(&destroyer, NULL, destroy, race.world->server);
        await_counts(&race.world->hub, COUNT_OF(clients), COUNT_OF(clients));
        pthread_join(destroyer, NULL);
        atomic_store(&race.over, true);
        pthread_join(waker, NULL);
        race.world->server = NULL;
        world_destroy(race.world);
        for (size_t i = 0; i < COUNT_OF(clients); i++)
            client_close(clients[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeping_stream_tells_when_it_is_woken),
        cmocka_unit_test(a_wake_while_read_runs_is_not_lost),
        cmocka_unit_test(an_ended_stream_leaves_the_connection_usable),
        cmocka_unit_test(a_client_that_goes_away_is_noticed_without_a_wake),
        cmocka_unit_test(a_head_request_opens_and_closes_without_a_body),
        cmocka_unit_test(an_old_client_gets_the_bytes_until_the_connection_ends),
        cmocka_unit_test(many_streams_each_tell_everything),
        cmocka_unit_test(a_client_that_does_not_read_is_cut_off_at_the_end),
        cmocka_unit_test(a_fast_reader_is_served_piece_by_piece),
        cmocka_unit_test(wakes_may_race_with_clients_that_go_away),
        cmocka_unit_test(wakes_may_race_with_the_end_of_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
