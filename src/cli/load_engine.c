// SPDX-License-Identifier: Apache-2.0
// An add lives in a slot; a slot belongs to a connection for ever:
//
//   ready ──call──▶ in flight ──answer──▶ ready          the usual way
//     ▲                 └─────failure──▶ resting ──┐     a server in trouble is not hammered;
//     └────────────────── REST_MS ─────────────────┘     `carries`: the same add goes again
//
// A connection that ends is made again: at once if it did any good, else after a growing pause.
#include "cli/load_engine.h"

#include "base/clock.h"
#include "base/stop.h"
#include "base/uuid.h"

#include "adder.pb-c.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#define REST_MS           50
#define RECONNECT_MIN_MS  20
#define RECONNECT_MAX_MS  1000
#define PACE_MIN_NS       (50 * NS_PER_US) // timers are not finer
#define REQUEST_BYTES_MAX 64

struct slot {
    STAILQ_ENTRY(slot) links; // in its connection's ready, or in the engine's resting
    struct connection *connection;
    int64_t a, b;
    struct uuid request_id;
    int64_t due_mono_ns;        // latency counts from here
    int64_t sent_mono_ns;       // a refusal's from here
    int64_t repeat_end_mono_ns; // no further try from here on
    int64_t rest_end_mono_ns;
    bool carries;  // an add that must be sent again
    bool doubtful; // an earlier try of it may have been written
};
STAILQ_HEAD(slot_list, slot);

struct connection {
    struct engine *engine;
    struct grpc_channel *channel; // owned; NULL: could not be made
    struct event *reconnect;      // owned
    struct slot_list ready;       // those that carry an add come first
    struct slot *slots;           // owned
    bool leaving;                 // takes no more calls
    bool useful;                  // something was acknowledged since it was made
    int64_t pause_ms;             // before the next try to connect
};

struct engine {
    const struct load_spec *spec;
    struct load_stats *stats;
    struct event_base *base;
    struct event *pace, *second, *end, *stop;
    struct connection *connections; // spec->connections of them
    size_t turn;                    // whose turn it is in open loop
    struct slot_list resting;       // in order of rest_end_mono_ns
    int64_t started_mono_ns, now_mono_ns;
    bool ending;    // no new adds
    bool giving_up; // and no further tries
};

static void after(struct event *event, int64_t ns)
{
    const struct timeval wait = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
    event_add(event, &wait);
}

// --- which add next ---
static int64_t due_mono_ns(const struct engine *e, int64_t number)
{
    if (e->spec->rate == 0)
        return e->now_mono_ns;
    return e->started_mono_ns + (int64_t)((__int128)number * NS_PER_S / e->spec->rate);
}

static bool all_begun(const struct engine *e)
{
    return e->ending || (e->spec->count > 0 && e->stats->begun == e->spec->count);
}

static bool add_is_due(const struct engine *e)
{
    return !all_begun(e) && due_mono_ns(e, e->stats->begun) <= e->now_mono_ns;
}

// Numbers that vary, so that a sum tells which adds are in it, and are positive (load_judge).
static void add_begin(struct engine *e, struct slot *s)
{
    const int64_t number = e->stats->begun;
    s->a = 1 + number % 1000;
    s->b = 1 + number % 1000003;
    s->due_mono_ns = due_mono_ns(e, number);
    s->repeat_end_mono_ns = e->now_mono_ns + e->spec->repeat_max_ms * NS_PER_MS;
    s->carries = s->doubtful = false;
    if (e->spec->request_ids)
        s->request_id = uuid_random();
    e->stats->begun++;
}

static void make_ready(struct slot *s)
{
    if (s->carries)
        STAILQ_INSERT_HEAD(&s->connection->ready, s, links);
    else
        STAILQ_INSERT_TAIL(&s->connection->ready, s, links);
}

// --- calls ---
static void on_done(const struct grpc_result *result, void *ctx);
static void pace_next(struct engine *e);

static bool call(struct slot *s)
{
    const struct load_spec *spec = s->connection->engine->spec;
    Abacus__V1__AddRequest request = ABACUS__V1__ADD_REQUEST__INIT;
    request.a = s->a;
    request.b = s->b;
    if (spec->request_ids)
        request.request_id = s->request_id.text;
    uint8_t bytes[REQUEST_BYTES_MAX];
    const struct grpc_call_spec call = {
        .path = "/abacus.v1.Adder/Add",
        .message = {bytes, abacus__v1__add_request__pack(&request, bytes)},
        .timeout_ms = spec->timeout_ms,
        .on_done = on_done,
        .ctx = s,
    };
    struct err ended; // told by on_closed
    return grpc_channel_call(s->connection->channel, &call, &ended);
}

// Sends one add if there is one and room for it.
static bool send_one(struct connection *c)
{
    struct slot *s = STAILQ_FIRST(&c->ready);
    if (s == NULL || c->channel == NULL || c->leaving)
        return false;
    if (!s->carries) {
        if (!add_is_due(c->engine))
            return false;
        add_begin(c->engine, s);
        s->carries = true;
    }
    s->sent_mono_ns = c->engine->now_mono_ns;
    c->leaving = !call(s);
    if (!c->leaving)
        STAILQ_REMOVE_HEAD(&c->ready, links);
    return !c->leaving;
}

static void send_all(struct connection *c)
{
    while (send_one(c))
        continue;
}

// Adds that were tried before go whoever's turn it is, and also when there are no new ones.
static void send_again(struct connection *c)
{
    struct slot *s;
    while ((s = STAILQ_FIRST(&c->ready)) != NULL && s->carries && send_one(c))
        continue;
}

// --- answers ---
static void end_if_done(struct engine *e)
{
    if (all_begun(e) && load_stats_in_flight(e->stats) == 0)
        event_base_loopbreak(e->base);
}

static bool sum_is_right(const struct slot *s, struct grpc_slice message)
{
    Abacus__V1__AddResponse *answer =
        abacus__v1__add_response__unpack(NULL, message.length, message.data);
    const bool right = answer != NULL && answer->sum == s->a + s->b;
    abacus__v1__add_response__free_unpacked(answer, NULL);
    return right;
}

static void acknowledged(struct engine *e, struct slot *s, struct grpc_slice message)
{
    histogram_add(&e->stats->latency_ns, e->now_mono_ns - s->due_mono_ns);
    e->stats->last_acknowledged_mono_ns = e->now_mono_ns;
    if (e->spec->look_into_answers && !sum_is_right(s, message))
        e->stats->wrong_answers++;
    s->connection->useful = true;
}

// An add that the server did not see is always safe to repeat; one of unknown fate only by its id.
static bool to_be_repeated(const struct engine *e, const struct slot *s,
                           const struct grpc_result *result, enum load_fate fate)
{
    const bool safe = result->not_processed || (fate == LOAD_UNKNOWN && e->spec->request_ids);
    return safe && !e->giving_up && e->now_mono_ns < s->repeat_end_mono_ns;
}

static void add_end(struct engine *e, struct slot *s, enum load_fate fate)
{
    const bool unknown = fate == LOAD_REFUSED && s->doubtful;
    load_stats_end(e->stats, unknown ? LOAD_UNKNOWN : fate, s->a + s->b);
    s->carries = false;
}

static void rest(struct engine *e, struct slot *s)
{
    const bool first = STAILQ_EMPTY(&e->resting);
    s->rest_end_mono_ns = e->now_mono_ns + REST_MS * NS_PER_MS;
    STAILQ_INSERT_TAIL(&e->resting, s, links);
    if (first)
        pace_next(e);
}

static void on_done(const struct grpc_result *result, void *ctx)
{
    struct slot *s = ctx;
    struct engine *e = s->connection->engine;
    const enum load_fate fate = load_fate(result);
    e->now_mono_ns = clock_mono_ns();
    e->stats->statuses[result->status < LOAD_STATUSES ? result->status : GRPC_UNKNOWN]++;
    if (fate == LOAD_ACKNOWLEDGED) {
        acknowledged(e, s, result->message);
        add_end(e, s, fate);
        make_ready(s);
        send_all(s->connection);
    } else {
        s->doubtful = s->doubtful || fate == LOAD_UNKNOWN;
        if (result->answered && result->status == GRPC_RESOURCE_EXHAUSTED)
            histogram_add(&e->stats->refusal_ns, e->now_mono_ns - s->sent_mono_ns);
        if (to_be_repeated(e, s, result, fate))
            e->stats->repeated++;
        else
            add_end(e, s, fate);
        rest(e, s);
    }
    if (e->spec->rate > 0 && !event_pending(e->pace, EV_TIMEOUT, NULL))
        pace_next(e);
    end_if_done(e);
}

// --- the clock ---
// Ends the adds that wait for another try and will get none. Their slots go behind those that still
// carry one: who finds an empty slot looks no further.
static void give_back(struct connection *c)
{
    struct engine *e = c->engine;
    struct slot_list carrying = STAILQ_HEAD_INITIALIZER(carrying);
    struct slot_list empty = STAILQ_HEAD_INITIALIZER(empty);
    struct slot *s;
    while ((s = STAILQ_FIRST(&c->ready)) != NULL) {
        STAILQ_REMOVE_HEAD(&c->ready, links);
        if (s->carries && (e->giving_up || e->now_mono_ns >= s->repeat_end_mono_ns))
            add_end(e, s, LOAD_REFUSED); // unknown, if doubtful
        if (s->carries)
            STAILQ_INSERT_TAIL(&carrying, s, links);
        else
            STAILQ_INSERT_TAIL(&empty, s, links);
    }
    STAILQ_CONCAT(&c->ready, &carrying);
    STAILQ_CONCAT(&c->ready, &empty);
}

static void wake_rested(struct engine *e)
{
    struct slot *s;
    while ((s = STAILQ_FIRST(&e->resting)) != NULL &&
           (e->giving_up || s->rest_end_mono_ns <= e->now_mono_ns)) {
        STAILQ_REMOVE_HEAD(&e->resting, links);
        make_ready(s);
        give_back(s->connection);
        send_all(s->connection);
    }
}

// Open loop: what is due goes round the connections.
static void send_due(struct engine *e)
{
    const size_t count = (size_t)e->spec->connections;
    for (size_t refused = 0; refused < count && add_is_due(e);) {
        refused = send_one(&e->connections[e->turn]) ? 0 : refused + 1;
        e->turn = (e->turn + 1) % count;
    }
}

static void pace_next(struct engine *e)
{
    int64_t next_mono_ns = INT64_MAX;
    if (!STAILQ_EMPTY(&e->resting))
        next_mono_ns = STAILQ_FIRST(&e->resting)->rest_end_mono_ns;
    if (e->spec->rate > 0 && !all_begun(e)) {
        const int64_t due = due_mono_ns(e, e->stats->begun);
        if (due > e->now_mono_ns && due < next_mono_ns) // else no slot is free: an answer sends it
            next_mono_ns = due;
    }
    if (next_mono_ns == INT64_MAX)
        return;
    const int64_t wait_ns = next_mono_ns - e->now_mono_ns;
    after(e->pace, wait_ns > PACE_MIN_NS ? wait_ns : PACE_MIN_NS);
}

static void on_pace(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *e = ctx;
    e->now_mono_ns = clock_mono_ns();
    wake_rested(e);
    for (int64_t i = 0; e->giving_up && i < e->spec->connections; i++)
        give_back(&e->connections[i]);
    if (e->spec->rate > 0)
        send_due(e);
    pace_next(e);
    end_if_done(e);
}

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *e = ctx;
    if (e->spec->on_second != NULL)
        e->spec->on_second(e->stats, clock_mono_ns() - e->started_mono_ns, e->spec->ctx);
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *e = ctx;
    e->ending = true;
    end_if_done(e);
}

// A person asks for the report: what has no answer is given up as far as it is not on its way.
static void on_stop(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *e = ctx;
    e->ending = e->giving_up = true;
    event_active(e->pace, EV_TIMEOUT, 0);
}

// --- connections ---
static void reconnect_later(struct connection *c)
{
    c->leaving = true;
    after(c->reconnect, c->useful ? 0 : c->pause_ms * NS_PER_MS);
    if (c->useful)
        c->pause_ms = RECONNECT_MIN_MS;
    else if (c->pause_ms < RECONNECT_MAX_MS)
        c->pause_ms *= 2;
    c->useful = false;
}

static void on_closed(struct grpc_channel *channel, const struct err *err, void *ctx)
{
    (void)channel, (void)err; // the calls say what it means for the adds
    reconnect_later(ctx);
}

static void on_reconnect(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct connection *c = ctx;
    struct engine *e = c->engine;
    const struct grpc_channel_config config = {
        .host = e->spec->host, .port = e->spec->port, .on_closed = on_closed, .ctx = c};
    struct err err;
    e->now_mono_ns = clock_mono_ns();
    grpc_channel_destroy(c->channel);
    c->channel = NULL;
    c->leaving = false;
    give_back(c);
    if (!grpc_channel_create(&c->channel, e->base, &config, &err))
        reconnect_later(c);
    else if (e->spec->rate == 0)
        send_all(c);
    else {
        send_again(c);
        event_active(e->pace, EV_TIMEOUT, 0);
    }
    end_if_done(e);
}

static void connection_init(struct connection *c, struct engine *e)
{
    c->engine = e;
    c->pause_ms = RECONNECT_MIN_MS;
    c->reconnect = evtimer_new(e->base, on_reconnect, c);
    c->slots = xcalloc((size_t)e->spec->in_flight, sizeof(*c->slots));
    STAILQ_INIT(&c->ready);
    for (int64_t i = 0; i < e->spec->in_flight; i++) {
        c->slots[i].connection = c;
        STAILQ_INSERT_TAIL(&c->ready, &c->slots[i], links);
    }
    event_active(c->reconnect, EV_TIMEOUT, 0);
}

static void connection_clear(struct connection *c)
{
    grpc_channel_destroy(c->channel);
    event_free(c->reconnect);
    free(c->slots);
}

// --- the run ---
static struct event_base *base_create(const struct load_spec *spec)
{
    struct event_config *config = event_config_new();
    if (spec->rate > 0) // timers of microseconds, at a system call each
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    CHECK(base != NULL);
    return base;
}

static void engine_open(struct engine *e)
{
    const struct load_spec *spec = e->spec;
    e->base = base_create(spec);
    STAILQ_INIT(&e->resting);
    e->pace = evtimer_new(e->base, on_pace, e);
    e->second = event_new(e->base, -1, EV_PERSIST, on_second, e);
    e->end = evtimer_new(e->base, on_end, e);
    e->stop = event_new(e->base, stop_fd(), EV_READ, on_stop, e);
    after(e->second, NS_PER_S);
    event_add(e->stop, NULL);
    if (spec->duration_s > 0)
        after(e->end, spec->duration_s * NS_PER_S);
    e->connections = xcalloc((size_t)spec->connections, sizeof(*e->connections));
    e->started_mono_ns = e->now_mono_ns = clock_mono_ns();
    for (int64_t i = 0; i < spec->connections; i++)
        connection_init(&e->connections[i], e);
    if (spec->rate > 0)
        event_active(e->pace, EV_TIMEOUT, 0);
}

static void engine_close(struct engine *e)
{
    for (int64_t i = 0; i < e->spec->connections; i++)
        connection_clear(&e->connections[i]);
    free(e->connections);
    event_free(e->pace);
    event_free(e->second);
    event_free(e->end);
    event_free(e->stop);
    event_base_free(e->base);
}

int64_t load_run(const struct load_spec *spec, struct load_stats *stats)
{
    struct engine engine = {.spec = spec, .stats = stats};
    engine_open(&engine);
    event_base_dispatch(engine.base);
    const int64_t started_mono_ns = engine.started_mono_ns;
    engine_close(&engine);
    return started_mono_ns;
}
