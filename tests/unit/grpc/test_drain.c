// SPDX-License-Identifier: Apache-2.0
// The graceful ends of a connection under calls that never stop: whoever was accepted is answered,
// whoever was not knows it for sure.
#include "rig.h"

#include "grpc/channel.h"

#include <event2/event.h>
#include <pthread.h>
#include <string.h>

#define CALLS_AT_ONCE 50
#define TRIES_MAX     1000

// A client that keeps so many calls in flight, on a new channel whenever the old one is leaving.
struct load {
    struct rig *rig;
    struct grpc_channel *channel, *old; // old: still has calls
    int64_t ok_count, again_count, in_flight_count;
    int closed_count;
    char closed_why[ERR_TEXT_MAX];
    bool stopping, enough, idle, closed, reconnect;
    int64_t ok_wanted;
    struct event *later; // calls for the slots that were given back
};

static void on_done(const struct grpc_result *result, void *ctx);

static void load_call(struct load *load)
{
    struct err err;
    const struct grpc_call_spec spec = {.path = RIG_ECHO, .on_done = on_done, .ctx = load};
    if (grpc_channel_call(load->channel, &spec, &err))
        load->in_flight_count++;
    else
        event_active(load->later, EV_TIMEOUT, 0);
}

static void on_done(const struct grpc_result *result, void *ctx)
{
    struct load *load = ctx;
    load->in_flight_count--;
    load->ok_count += result->status == GRPC_OK;
    load->again_count += result->not_processed;
    EXPECT(result->status == GRPC_OK ||
               (result->status == GRPC_UNAVAILABLE && result->not_processed),
           "an accepted call failed: %s %s", grpc_status_name((int)result->status), result->text);
    load->enough = load->ok_count >= load->ok_wanted;
    load->idle = load->stopping && load->in_flight_count == 0;
    if (!load->stopping)
        load_call(load);
}

static void on_closed(struct grpc_channel *channel, const struct err *err, void *ctx)
{
    (void)channel;
    struct load *load = ctx;
    load->closed = true;
    load->closed_count++;
    memcpy(load->closed_why, err->text, sizeof(err->text));
}

// All slots are refilled here, so that a leaving channel is replaced outside its own callbacks.
static void on_later(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    struct load *load = arg;
    if (load->stopping || !load->reconnect)
        return;
    if (load->closed) {
        grpc_channel_destroy(load->channel);
        load->closed = false;
        load->channel = rig_channel(
            load->rig, &(struct grpc_channel_config){.on_closed = on_closed, .ctx = load});
        while (load->in_flight_count < CALLS_AT_ONCE)
            load_call(load);
    } else {
        const struct timeval soon = {.tv_usec = 1000};
        event_add(load->later, &soon);
    }
}

static void load_start(struct load *load, struct rig *rig, bool reconnect)
{
    *load = (struct load){.rig = rig, .reconnect = reconnect, .ok_wanted = INT64_MAX};
    load->later = event_new(rig->base, -1, 0, on_later, load);
    load->channel =
        rig_channel(rig, &(struct grpc_channel_config){.on_closed = on_closed, .ctx = load});
    for (int i = 0; i < CALLS_AT_ONCE; i++)
        load_call(load);
}

static void load_run(struct load *load, int64_t ok_more)
{
    load->ok_wanted = load->ok_count + ok_more;
    load->enough = false;
    rig_run_until(load->rig, &load->enough);
}

static void load_end(struct load *load)
{
    load->stopping = true;
    load->idle = load->in_flight_count == 0;
    rig_run_until(load->rig, &load->idle);
    grpc_channel_destroy(load->channel);
    event_free(load->later);
}

struct stopper {
    struct rig *rig;
    bool clean;
};

static void *stop(void *arg)
{
    struct stopper *s = arg;
    s->clean = grpc_server_stop(s->rig->server, RIG_PATIENCE_MS);
    return NULL;
}

static void no_accepted_call_fails_when_the_server_stops(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct rig rig;
        struct load load;
        rig_start(&rig, (struct grpc_server_config){0});
        load_start(&load, &rig, false);
        load_run(&load, 100 + round * 37);
        struct stopper stopper = {.rig = &rig};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop, &stopper), 0);
        rig_run_until(&rig, &load.closed);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(stopper.clean);
        EXPECT(strstr(load.closed_why, "the server is leaving") != NULL, "%s", load.closed_why);
        load_end(&load);
        rig_end(&rig);
    }
}

static void calls_that_wait_are_given_back_when_the_server_stops(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.streams_max = 1});
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    struct rig_outcome runs, waits;
    assert_true(rig_call(channel, &runs, &(struct grpc_call_spec){.path = RIG_PARK}));
    assert_true(rig_call(channel, &waits, &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await_parked(&rig, 1);
    struct stopper stopper = {.rig = &rig};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop, &stopper), 0);
    rig_await(&rig, &waits, 1);
    EXPECT(waits.status == GRPC_UNAVAILABLE && waits.not_processed, "%s", rig_shown(&waits));
    assert_false(runs.done);
    assert_false(rig_call(channel, &waits, &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_release(&rig);
    rig_await(&rig, &runs, 1);
    EXPECT(runs.status == GRPC_OK, "%s", rig_shown(&runs));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(stopper.clean);
    grpc_channel_destroy(channel);
    rig_end(&rig);
}

static void calls_cut_by_age_do_not_spoil_the_stop(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.age_max_ms = 20, .age_grace_ms = 20});
    struct rig_outcome out;
    int tries = 0;
    do { // a connection may grow old before its call has arrived
        out = rig_ask(&rig, &(struct grpc_call_spec){.path = RIG_PARK});
    } while (out.not_processed && ++tries < TRIES_MAX);
    EXPECT(out.status == GRPC_UNAVAILABLE && !out.not_processed, "%s", rig_shown(&out));
    rig_release(&rig);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void no_call_fails_while_connections_grow_old(void **state)
{
    (void)state;
    struct rig rig;
    struct load load;
    rig_start(&rig, (struct grpc_server_config){.age_max_ms = 100});
    load_start(&load, &rig, true);
    while (load.closed_count < 4)
        load_run(&load, 100);
    EXPECT(strstr(load.closed_why, "the server is leaving") != NULL, "%s", load.closed_why);
    load_end(&load);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void a_connection_without_calls_is_closed_after_a_while(void **state)
{
    (void)state;
    struct rig rig;
    struct load load;
    rig_start(&rig, (struct grpc_server_config){.idle_max_ms = 50});
    load_start(&load, &rig, true); // on a slow machine it may be idle before the load is over
    load_run(&load, 100);
    load.stopping = true;
    rig_run_until(&rig, &load.closed);
    EXPECT(strstr(load.closed_why, "the server is leaving") != NULL, "%s", load.closed_why);
    load_end(&load);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

// After an hour at 300,000 calls a second. Only inside can the client be brought there sooner.
static void a_connection_out_of_stream_ids_gives_its_calls_back(void **state)
{
    (void)state;
    struct rig rig;
    struct load load;
    rig_start(&rig, (struct grpc_server_config){0});
    load_start(&load, &rig, false);
    load_run(&load, 100);
    assert_int_equal(
        nghttp2_session_set_next_stream_id(load.channel->session, INT32_MAX - 2 * 1000), 0);
    rig_run_until(&rig, &load.closed);
    EXPECT(load.ok_count > 1000, "only %d calls", (int)load.ok_count);
    EXPECT(strstr(load.closed_why, "stream ids") != NULL, "%s", load.closed_why);
    load_end(&load);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_accepted_call_fails_when_the_server_stops),
        cmocka_unit_test(calls_that_wait_are_given_back_when_the_server_stops),
        cmocka_unit_test(calls_cut_by_age_do_not_spoil_the_stop),
        cmocka_unit_test(no_call_fails_while_connections_grow_old),
        cmocka_unit_test(a_connection_out_of_stream_ids_gives_its_calls_back),
        cmocka_unit_test(a_connection_without_calls_is_closed_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
