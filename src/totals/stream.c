// SPDX-License-Identifier: Apache-2.0
#include "totals/stream.h"

#include "base/clock.h"
#include "base/mailbox.h"
#include "totals/json.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define INTERVAL_MS  50 // between two events
#define HEARTBEAT_NS (15 * NS_PER_S)
#define RETRY_MS     "2000"
#define RETRY_MS_MAX "30000" // when there are too many streams
#define CONTENT_TYPE "text/event-stream"
#define EVENT_BYTES  (JSON_TOTAL_BYTES + JSON_TAG_BYTES + 64)

// An event as it goes out, and the version it tells.
struct told {
    int64_t version;
    size_t length;
    char text[EVENT_BYTES];
};

struct stream {
    LIST_ENTRY(stream) links; // under the hub's mu
    struct stream_hub *hub;
    struct http_stream *http; // borrowed, from open to close
    // the connection's own
    struct told told; // the event being sent
    size_t sent;      // of its text
    int64_t beat_mono_ns;
};

struct stream_hub {
    // fixed after create
    struct ledger *ledger;
    struct mailbox *changed, *ending; // owned; woken, never filled
    pthread_t thread;
    // shared, under mu, which is also held while streams are woken: none closes meanwhile
    pthread_mutex_t mu;
    LIST_HEAD(, stream) open;
    size_t count;
    struct told newest;
    int64_t beat_mono_ns; // when the last heartbeat was due
    bool ended;
};

static void told_set(struct told *told, struct ledger *ledger)
{
    struct ledger_total total;
    char json[JSON_TOTAL_BYTES], tag[JSON_TAG_BYTES];
    ledger_total(ledger, &total);
    json_total(json, &total);
    json_tag(tag, &total);
    const int length =
        snprintf(told->text, sizeof(told->text), "id: %s\nevent: total\ndata: %s\n\n", tag, json);
    CHECK_INT(length, <, sizeof(told->text));
    told->version = total.version;
    told->length = (size_t)length;
}

// --- one stream, on its connection's thread ---

// Whether there is something new to say: the newest event, or a heartbeat.
static bool refill(struct stream *s)
{
    struct stream_hub *hub = s->hub;
    pthread_mutex_lock(&hub->mu);
    const bool event = hub->newest.version > s->told.version;
    const bool beat = !event && hub->beat_mono_ns > s->beat_mono_ns;
    if (event)
        s->told = hub->newest;
    s->beat_mono_ns = hub->beat_mono_ns;
    pthread_mutex_unlock(&hub->mu);
    if (beat)
        s->told.length = (size_t)snprintf(s->told.text, sizeof(s->told.text), ":\n\n");
    if (event || beat)
        s->sent = 0;
    return event || beat;
}

static bool ended(struct stream_hub *hub)
{
    pthread_mutex_lock(&hub->mu);
    const bool is = hub->ended;
    pthread_mutex_unlock(&hub->mu);
    return is;
}

// An event that has begun is finished before the stream ends.
static int64_t on_read(void *ctx, char *out, size_t max)
{
    struct stream *s = ctx;
    if (s->sent == s->told.length) {
        if (ended(s->hub))
            return -1;
        if (!refill(s))
            return 0;
    }
    const size_t left = s->told.length - s->sent, length = left < max ? left : max;
    memcpy(out, s->told.text + s->sent, length);
    s->sent += length;
    return (int64_t)length;
}

static void on_open(void *ctx, struct http_stream *http)
{
    struct stream *s = ctx;
    pthread_mutex_lock(&s->hub->mu);
    s->http = http;
    LIST_INSERT_HEAD(&s->hub->open, s, links);
    pthread_mutex_unlock(&s->hub->mu);
}

static void on_close(void *ctx)
{
    struct stream *s = ctx;
    pthread_mutex_lock(&s->hub->mu);
    LIST_REMOVE(s, links);
    s->hub->count--;
    pthread_mutex_unlock(&s->hub->mu);
    free(s);
}

// A place is taken before the answer begins, so that the bound holds whatever comes at once.
static bool place_take(struct stream_hub *hub)
{
    pthread_mutex_lock(&hub->mu);
    const bool ok = hub->count < STREAMS_MAX && !hub->ended;
    hub->count += ok;
    pthread_mutex_unlock(&hub->mu);
    return ok;
}

// Begins with how soon to reconnect, and the state unless the client has it already.
static struct stream *stream_create(struct stream_hub *hub, const char *last_event_id)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    struct told newest;
    s->hub = hub;
    s->beat_mono_ns = clock_mono_ns();
    told_set(&newest, hub->ledger);
    const size_t tag = strcspn(newest.text + strlen("id: "), "\n");
    const bool known = last_event_id != NULL && strlen(last_event_id) == tag &&
                       memcmp(last_event_id, newest.text + strlen("id: "), tag) == 0;
    const int length = snprintf(s->told.text, sizeof(s->told.text), "retry: " RETRY_MS "\n\n%s",
                                known ? "" : newest.text);
    CHECK_INT(length, <, sizeof(s->told.text));
    s->told.length = (size_t)length;
    s->told.version = newest.version;
    return s;
}

void stream_hub_serve(struct stream_hub *hub, struct http_exchange *exchange)
{
    static const char full[] = "retry: " RETRY_MS_MAX "\n\n";
    http_header_add(exchange, "Cache-Control", "no-store");
    if (!place_take(hub)) {
        http_answer(exchange, 200, CONTENT_TYPE, full, strlen(full));
        return;
    }
    struct stream *s = stream_create(hub, http_header(exchange, "Last-Event-ID"));
    http_answer_stream(exchange, CONTENT_TYPE, on_read, on_open, on_close, s);
}

// --- the hub's thread ---
static void wake_all_locked(struct stream_hub *hub)
{
    struct stream *s;
    LIST_FOREACH(s, &hub->open, links)
        http_stream_wake(s->http);
}

// The newest is kept even when nobody listens: a stream that is just opening reads its first event
// before it can be woken.
static void tell(struct stream_hub *hub)
{
    const int64_t now = clock_mono_ns();
    struct told newest;
    told_set(&newest, hub->ledger);
    pthread_mutex_lock(&hub->mu);
    hub->newest = newest;
    if (now - hub->beat_mono_ns >= HEARTBEAT_NS)
        hub->beat_mono_ns = now;
    wake_all_locked(hub);
    pthread_mutex_unlock(&hub->mu);
}

static void *hub_run(void *arg)
{
    struct stream_hub *hub = arg;
    while (!ended(hub)) {
        mailbox_wait(hub->changed, (int)(HEARTBEAT_NS / NS_PER_MS));
        (void)mailbox_take(hub->changed, 1); // there is never an item: it ends the wake-up
        tell(hub);
        mailbox_wait(hub->ending, INTERVAL_MS);
    }
    return NULL;
}

// --- life ---
struct stream_hub *stream_hub_create(struct ledger *ledger)
{
    struct stream_hub *hub = xcalloc(1, sizeof(*hub));
    hub->ledger = ledger;
    hub->changed = mailbox_create(1);
    hub->ending = mailbox_create(1);
    hub->newest.version = -1;
    hub->beat_mono_ns = clock_mono_ns();
    LIST_INIT(&hub->open);
    pthread_mutex_init(&hub->mu, NULL);
    CHECK_INT(pthread_create(&hub->thread, NULL, hub_run, hub), ==, 0);
    pthread_setname_np(hub->thread, "event streams");
    return hub;
}

size_t stream_hub_count(struct stream_hub *hub)
{
    pthread_mutex_lock(&hub->mu);
    const size_t count = hub->count;
    pthread_mutex_unlock(&hub->mu);
    return count;
}

void stream_hub_changed(struct stream_hub *hub)
{
    mailbox_wake(hub->changed);
}

void stream_hub_end(struct stream_hub *hub)
{
    if (ended(hub))
        return;
    pthread_mutex_lock(&hub->mu);
    hub->ended = true;
    wake_all_locked(hub);
    pthread_mutex_unlock(&hub->mu);
    mailbox_wake(hub->ending);
    mailbox_wake(hub->changed);
    CHECK_INT(pthread_join(hub->thread, NULL), ==, 0);
}

void stream_hub_destroy(struct stream_hub *hub)
{
    if (hub == NULL)
        return;
    stream_hub_end(hub);
    CHECK(LIST_EMPTY(&hub->open));
    pthread_mutex_destroy(&hub->mu);
    mailbox_destroy(hub->changed);
    mailbox_destroy(hub->ending);
    free(hub);
}
