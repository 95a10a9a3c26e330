// SPDX-License-Identifier: Apache-2.0
// What on_end is told of each call, however it ends.
#include "rig.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENDS_MAX 64

static struct {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    struct grpc_call_end list[ENDS_MAX]; // under mu, as is the count
    size_t count;
} ends = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void on_end(const struct grpc_call_end *end, void *ctx)
{
    assert_ptr_equal(ctx, &ends);
    pthread_mutex_lock(&ends.mu);
    assert_true(ends.count < ENDS_MAX);
    ends.list[ends.count++] = *end;
    pthread_cond_signal(&ends.changed);
    pthread_mutex_unlock(&ends.mu);
}

static void begin(struct rig *rig)
{
    ends.count = 0;
    rig_start(rig, (struct grpc_server_config){.on_end = on_end, .on_end_ctx = &ends});
}

static void finish(struct rig *rig)
{
    assert_true(grpc_server_stop(rig->server, RIG_PATIENCE_MS));
    rig_end(rig);
}

// The end number `index`, counted from 0; waits for it.
static struct grpc_call_end await_end(size_t index)
{
    struct timespec patience;
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += RIG_PATIENCE_MS / 1000;
    pthread_mutex_lock(&ends.mu);
    int rc = 0;
    while (ends.count <= index && rc == 0)
        rc = pthread_cond_timedwait(&ends.changed, &ends.mu, &patience);
    EXPECT(ends.count > index, "only %zu calls were said to be over", ends.count);
    const struct grpc_call_end end = ends.list[index];
    pthread_mutex_unlock(&ends.mu);
    return end;
}

static void each_answer_is_told_once_with_its_status(void **state)
{
    (void)state;
    static const struct {
        const char *path, *method;
        size_t method_index;
        enum grpc_status status;
        bool has_state;
    } table[] = {
        {RIG_ECHO, "test.Rig/Echo", 0, GRPC_OK, true},
        {RIG_FAIL, "test.Rig/Fail", 3, GRPC_OUT_OF_RANGE, true},
        {"/test.Rig/Else", "_OTHER", RIG_METHODS, GRPC_UNIMPLEMENTED, false},
        {RIG_ECHO, "test.Rig/Echo", 0, GRPC_OK, true},
    };
    struct rig rig;
    begin(&rig);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const int64_t before = clock_mono_ns();
        (void)rig_ask(&rig, &(struct grpc_call_spec){.path = table[i].path});
        const struct grpc_call_end end = await_end(i);
        const int64_t took_ns = clock_mono_ns() - before;
        assert_string_equal(end.method, table[i].method);
        assert_int_equal(end.method_index, table[i].method_index);
        EXPECT(end.status == table[i].status, "%s: %s", table[i].path,
               grpc_status_name((int)end.status));
        EXPECT((end.state != NULL) == table[i].has_state, "%s", table[i].path);
        assert_in_range(end.duration_ns, 1, took_ns);
    }
    finish(&rig);
    assert_int_equal(ends.count, COUNT_OF(table));
}

static void a_request_too_large_is_told_as_it_was_refused(void **state)
{
    (void)state;
    struct rig rig;
    ends.count = 0;
    rig_start(&rig, (struct grpc_server_config){
                        .message_bytes_max = 10, .on_end = on_end, .on_end_ctx = &ends});
    (void)rig_ask(&rig, &(struct grpc_call_spec){.path = RIG_ECHO,
                                                 .message = {(const uint8_t *)"eleven char", 11}});
    const struct grpc_call_end end = await_end(0);
    assert_string_equal(end.method, "test.Rig/Echo");
    assert_int_equal(end.status, GRPC_RESOURCE_EXHAUSTED);
    finish(&rig);
}

static void a_client_that_leaves_has_cancelled(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    struct rig_outcome out;
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    assert_true(rig_call(channel, &out, &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await_parked(&rig, 1);
    grpc_channel_destroy(channel);
    const struct grpc_call_end end = await_end(0); // the handler owes its answer still
    assert_string_equal(end.method, "test.Rig/Park");
    assert_int_equal(end.status, GRPC_CANCELLED);
    assert_non_null(end.state);
    rig_release(&rig);
    finish(&rig);
    assert_int_equal(ends.count, 1);
}

static void a_deadline_that_passes_is_told_as_such(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    struct rig_outcome out;
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    rig_call_overdue(&rig, channel, &out);
    rig_release(&rig);
    grpc_channel_destroy(channel);
    finish(&rig);
    size_t found = 0;
    for (size_t i = 0; i < ends.count; i++) {
        const struct grpc_call_end *end = &ends.list[i];
        if (strcmp(end->method, "test.Rig/Park") != 0)
            continue;
        found++;
        // The client's clock began before ours, and so may have been the first to give up.
        EXPECT(end->status == GRPC_DEADLINE_EXCEEDED || end->status == GRPC_CANCELLED, "%s",
               grpc_status_name((int)end->status));
    }
    assert_int_equal(found, 1);
}

static void a_call_cut_by_a_stop_is_told(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    struct rig_outcome out;
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    assert_true(rig_call(channel, &out, &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await_parked(&rig, 1);
    assert_false(grpc_server_stop(rig.server, 50));
    assert_int_equal(ends.count, 1);
    assert_int_equal(ends.list[0].status, GRPC_CANCELLED);
    grpc_channel_destroy(channel);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_is_told_once_with_its_status),
        cmocka_unit_test(a_request_too_large_is_told_as_it_was_refused),
        cmocka_unit_test(a_client_that_leaves_has_cancelled),
        cmocka_unit_test(a_deadline_that_passes_is_told_as_such),
        cmocka_unit_test(a_call_cut_by_a_stop_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
