// SPDX-License-Identifier: Apache-2.0
// The load generator against a server of ours in this process that misbehaves on purpose.
#include "cli/load_engine.h"

#include "base/clock.h"
#include "grpc/server.h"

#include "adder.pb-c.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

// What the server does with every nth call, 0: never.
struct misbehaviour {
    int64_t nth;
    enum grpc_status status; // GRPC_OK: answers with a wrong sum
    bool silent;             // does not answer: the client's deadline ends it
};

static struct {
    struct misbehaviour misbehaviour;
    _Atomic int64_t calls, with_id;
    struct grpc_server *server;
    int port;
} fake;

static void on_add(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    const struct misbehaviour *m = &fake.misbehaviour;
    const bool bad = m->nth > 0 && (atomic_fetch_add(&fake.calls, 1) + 1) % m->nth == 0;
    Abacus__V1__AddRequest *request =
        abacus__v1__add_request__unpack(NULL, message.length, message.data);
    Abacus__V1__AddResponse response = ABACUS__V1__ADD_RESPONSE__INIT;
    response.sum = request->a + request->b + (bad ? 1 : 0);
    if (request->request_id[0] != '\0')
        atomic_fetch_add(&fake.with_id, 1);
    abacus__v1__add_request__free_unpacked(request, NULL);
    uint8_t bytes[32];
    const size_t length = abacus__v1__add_response__pack(&response, bytes);
    if (!bad || (m->status == GRPC_OK && !m->silent))
        grpc_call_reply(call, bytes, length);
    else if (m->silent)
        grpc_call_fail(call, GRPC_DEADLINE_EXCEEDED, "SILENT", "too late to count");
    else
        grpc_call_fail(call, m->status, "PLANTED", "planted");
}

static void fake_start(int port, struct misbehaviour misbehaviour)
{
    static const struct grpc_method method = {
        .path = "/abacus.v1.Adder/Add", .kind = GRPC_UNARY, .on_message = on_add};
    const struct grpc_server_config config = {.address = "127.0.0.1", .port = port, .loops = 1};
    struct err err = {.text = ""};
    fake.misbehaviour = misbehaviour;
    atomic_store(&fake.calls, 0);
    atomic_store(&fake.with_id, 0);
    EXPECT(grpc_server_create(&fake.server, &config, &method, 1, &err), "%s", err.text);
    grpc_server_start(fake.server);
    if (port == 0) // else it is that already, and the load may be reading it
        fake.port = grpc_server_port(fake.server);
}

static void fake_stop(void)
{
    (void)grpc_server_stop(fake.server, 0);
    grpc_server_destroy(fake.server);
}

static struct load_stats stats;

static int64_t load(struct load_spec spec)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", fake.port);
    spec.host = "127.0.0.1";
    spec.port = port;
    if (spec.connections == 0)
        spec.connections = 2;
    if (spec.in_flight == 0)
        spec.in_flight = 10;
    if (spec.timeout_ms == 0)
        spec.timeout_ms = 10000;
    if (spec.repeat_max_ms == 0)
        spec.repeat_max_ms = 30000;
    memset(&stats, 0, sizeof(stats));
    return load_run(&spec, &stats);
}

static void as_many_as_asked_for_are_sent_and_summed(void **state)
{
    (void)state;
    fake_start(0, (struct misbehaviour){0});
    (void)load((struct load_spec){.count = 1500, .look_into_answers = true});
    fake_stop();
    assert_int_equal(stats.begun, 1500);
    assert_int_equal(stats.acknowledged, 1500);
    assert_int_equal(stats.statuses[GRPC_OK], 1500);
    assert_int_equal(stats.latency_ns.count, 1500);
    assert_int_equal(stats.wrong_answers, 0);
    __int128 sum = 0;
    for (int64_t i = 0; i < 1500; i++)
        sum += 1 + i % 1000 + 1 + i;
    assert_true(stats.acknowledged_sum == sum);
    assert_int_equal(fake.with_id, 0);
}

static void wrong_sums_are_noticed(void **state)
{
    (void)state;
    fake_start(0, (struct misbehaviour){.nth = 10, .status = GRPC_OK});
    (void)load((struct load_spec){.count = 100, .look_into_answers = true});
    fake_stop();
    assert_int_equal(stats.acknowledged, 100);
    assert_int_equal(stats.wrong_answers, 10);
}

static void each_failure_is_booked_by_what_it_says(void **state)
{
    (void)state;
    static const struct {
        enum grpc_status status;
        bool request_ids;
        int64_t acknowledged, refused, unknown, repeated, refusal_times;
    } table[] = {
        {GRPC_RESOURCE_EXHAUSTED, false, 90, 10, 0, 0, 10},
        {GRPC_RESOURCE_EXHAUSTED, true, 90, 10, 0, 0, 10}, // a clear no is not repeated
        {GRPC_OUT_OF_RANGE, false, 90, 10, 0, 0, 0},       // says nothing of a full queue
        {GRPC_UNAVAILABLE, false, 90, 0, 10, 0, 0},
        {GRPC_UNAVAILABLE, true, 100, 0, 0, 11, 0}, // of the 10 repeated calls one fails again
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        fake_start(0, (struct misbehaviour){.nth = 10, .status = table[i].status});
        (void)load((struct load_spec){.count = 100, .request_ids = table[i].request_ids});
        fake_stop();
        EXPECT(stats.acknowledged == table[i].acknowledged && stats.refused == table[i].refused &&
                   stats.unknown == table[i].unknown && stats.repeated == table[i].repeated,
               "row %zu: acknowledged %d, refused %d, unknown %d, repeated %d", i,
               (int)stats.acknowledged, (int)stats.refused, (int)stats.unknown,
               (int)stats.repeated);
        assert_int_equal(stats.refusal_ns.count, table[i].refusal_times);
        assert_true(table[i].request_ids == (fake.with_id > 0));
    }
}

static void open_loop_keeps_to_its_rate(void **state)
{
    (void)state;
    fake_start(0, (struct misbehaviour){0});
    const int64_t started_mono_ns = load((struct load_spec){.count = 101, .rate = 500});
    const int64_t took_ns = clock_mono_ns() - started_mono_ns;
    fake_stop();
    assert_int_equal(stats.acknowledged, 101);
    EXPECT(took_ns >= 200 * NS_PER_MS, "100 intervals of 2 ms took %d ms",
           (int)(took_ns / NS_PER_MS));
}

static void the_time_limit_ends_it(void **state)
{
    (void)state;
    fake_start(0, (struct misbehaviour){0});
    const int64_t started_mono_ns = load((struct load_spec){.duration_s = 1});
    const int64_t took_ns = clock_mono_ns() - started_mono_ns;
    fake_stop();
    assert_true(stats.acknowledged > 0);
    assert_int_equal(load_stats_in_flight(&stats), 0);
    // libevent's clock is a coarse one
    EXPECT(took_ns >= NS_PER_S - 20 * NS_PER_MS, "ended after %d ms", (int)(took_ns / NS_PER_MS));
}

// --- a server that goes away and comes back on the same port ---
static void *restart(void *arg)
{
    (void)arg;
    const int port = fake.port;
    while (atomic_load(&fake.calls) < 500)
        sched_yield();
    fake_stop();
    fake_start(port, (struct misbehaviour){.nth = INT64_MAX});
    return NULL;
}

static void a_restarted_server_is_found_again_and_every_add_ends(void **state)
{
    (void)state;
    fake_start(0, (struct misbehaviour){.nth = INT64_MAX}); // counts its calls
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, restart, NULL), 0);
    (void)load((struct load_spec){.count = 20000, .request_ids = true});
    pthread_join(thread, NULL);
    fake_stop();
    assert_int_equal(stats.begun, 20000);
    assert_int_equal(stats.acknowledged, 20000); // each was repeated until it had an answer
}

// --- a server that comes late ---
static void *come_late(void *arg)
{
    (void)arg;
    (void)poll(NULL, 0,
               900); // by chance between two tries to connect: some adds expire before the next
    fake_start(fake.port, (struct misbehaviour){0});
    return NULL;
}

static void adds_that_expired_do_not_stand_in_the_way_of_those_that_did_not(void **state)
{
    (void)state;
    fake_start(0, (struct misbehaviour){0});
    fake_stop();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, come_late, NULL), 0);
    (void)load((struct load_spec){.connections = 1,
                                  .in_flight = 100,
                                  .rate = 100,
                                  .count = 60,
                                  .request_ids = true,
                                  .repeat_max_ms = 1000});
    pthread_join(thread, NULL);
    fake_stop();
    assert_int_equal(stats.begun, 60);
    assert_int_equal(load_stats_in_flight(&stats), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_asked_for_are_sent_and_summed),
        cmocka_unit_test(wrong_sums_are_noticed),
        cmocka_unit_test(each_failure_is_booked_by_what_it_says),
        cmocka_unit_test(open_loop_keeps_to_its_rate),
        cmocka_unit_test(the_time_limit_ends_it),
        cmocka_unit_test(a_restarted_server_is_found_again_and_every_add_ends),
        cmocka_unit_test(adds_that_expired_do_not_stand_in_the_way_of_those_that_did_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
