// SPDX-License-Identifier: Apache-2.0
// The server seen by our own client. What only a peer out of order does is in
// tests/system/test_grpc_abuse.py.
#include "rig.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX (4 * 1024 * 1024)
#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static void calls_are_answered_whatever_loop_they_come_to(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.loops = 3});
    for (int i = 0; i < 30; i++) {
        const struct rig_outcome out =
            rig_ask(&rig, &(struct grpc_call_spec){.path = RIG_ECHO, .message = TEXT("abc")});
        EXPECT(out.status == GRPC_OK && out.answered, "%s", rig_shown(&out));
        assert_int_equal(out.message_bytes, 3);
        assert_int_equal(out.first, 'a');
    }
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    assert_int_equal(grpc_server_stats(rig.server).calls_total, 30);
    rig_end(&rig);
}

static void messages_up_to_the_limit_pass_and_larger_ones_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        enum grpc_status status;
    } table[] = {
        {0, GRPC_OK},
        {1, GRPC_OK},
        {123, GRPC_OK},
        {124, GRPC_OK},
        {65536, GRPC_OK},
        {MESSAGE_BYTES_MAX, GRPC_OK},
        {MESSAGE_BYTES_MAX + 1, GRPC_RESOURCE_EXHAUSTED},
        {2 * MESSAGE_BYTES_MAX, GRPC_RESOURCE_EXHAUSTED},
    };
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){0});
    uint8_t *message = xcalloc(2, MESSAGE_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct rig_outcome out = rig_ask(
            &rig, &(struct grpc_call_spec){.path = RIG_ECHO, .message = {message, table[i].bytes}});
        EXPECT(out.status == table[i].status, "%zu bytes: %s", table[i].bytes, rig_shown(&out));
        EXPECT(out.status != GRPC_OK || out.message_bytes == table[i].bytes, "%zu bytes",
               table[i].bytes);
    }
    free(message);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void a_refusal_carries_its_text_and_details(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){0});
    const struct rig_outcome out = rig_ask(&rig, &(struct grpc_call_spec){.path = RIG_FAIL});
    assert_int_equal(out.status, GRPC_OUT_OF_RANGE);
    assert_true(out.answered);
    assert_string_equal(out.text, "100% of it is\ntoo much");
    assert_true(out.details_bytes > 60);
    const struct rig_outcome unknown = rig_ask(&rig, &(struct grpc_call_spec){.path = "/no/no"});
    assert_int_equal(unknown.status, GRPC_UNIMPLEMENTED);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void a_handler_may_answer_after_the_deadline(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){0});
    struct rig_outcome out[2];
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    rig_call_overdue(&rig, channel, &out[0]);
    EXPECT(out[0].status == GRPC_DEADLINE_EXCEEDED, "%s", rig_shown(&out[0]));
    assert_false(out[0].not_processed);
    rig_release(&rig);
    assert_true(rig_call(channel, &out[1], &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await(&rig, out, 2);
    EXPECT(out[1].status == GRPC_OK, "%s", rig_shown(&out[1]));
    assert_int_equal(rig_gone_count(&rig), 1);
    grpc_channel_destroy(channel);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void a_handler_may_answer_after_its_client_left(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){0});
    struct rig_outcome out[20];
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    for (int i = 0; i < 20; i++)
        assert_true(rig_call(channel, &out[i], &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await_parked(&rig, 20);
    grpc_channel_destroy(channel);
    for (int i = 0; i < 20; i++)
        assert_int_equal(out[i].status, GRPC_CANCELLED);
    rig_await_connections(&rig, 0);
    assert_int_equal(grpc_server_stats(rig.server).calls, 20);
    rig_release(&rig);
    (void)rig_ask(&rig, &(struct grpc_call_spec){.path = RIG_PARK}); // so the release is over
    assert_int_equal(rig_gone_count(&rig), 20);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void a_call_never_answered_is_cut_when_the_grace_is_over(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){0});
    struct rig_outcome out;
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    assert_true(rig_call(channel, &out, &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await_parked(&rig, 1);
    assert_false(grpc_server_stop(rig.server, 50));
    rig_await(&rig, &out, 1);
    EXPECT(out.status == GRPC_UNAVAILABLE && !out.not_processed, "%s", rig_shown(&out));
    grpc_channel_destroy(channel);
    rig_end(&rig);
}

static void a_port_that_is_taken_is_busy(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.loops = 2});
    const struct grpc_server_config config = {
        .address = "127.0.0.1", .port = grpc_server_port(rig.server), .loops = 1};
    struct grpc_server *second;
    struct err err;
    assert_false(grpc_server_create(&second, &config, NULL, 0, &err));
    assert_int_equal(err.code, ERR_BUSY);
    const struct grpc_server_config wrong = {.address = "no.such.host.invalid", .loops = 1};
    assert_false(grpc_server_create(&second, &wrong, NULL, 0, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_true(grpc_server_stop(rig.server, 0));
    rig_end(&rig);
}

static void no_more_calls_run_at_once_than_the_limit(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.streams_max = 4});
    struct rig_outcome out[50], hasty;
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    for (int i = 0; i < 50; i++)
        assert_true(rig_call(channel, &out[i], &(struct grpc_call_spec){.path = RIG_PARK}));
    assert_true(
        rig_call(channel, &hasty, &(struct grpc_call_spec){.path = RIG_PARK, .timeout_ms = 20}));
    rig_await_parked(&rig, 4);
    rig_await(&rig, &hasty, 1);
    EXPECT(hasty.status == GRPC_DEADLINE_EXCEEDED && hasty.not_processed, "%s", rig_shown(&hasty));
    assert_int_equal(grpc_server_stats(rig.server).calls, 4);
    rig_release(&rig);
    rig_await(&rig, out, 50);
    for (int i = 0; i < 50; i++)
        EXPECT(out[i].status == GRPC_OK, "call %d: %s", i, rig_shown(&out[i]));
    grpc_channel_destroy(channel);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void calls_that_were_left_running_count_against_the_limit(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.streams_max = 2});
    struct rig_outcome out[3];
    struct grpc_channel *channel = rig_channel(&rig, NULL);
    for (int i = 0; i < 2; i++)
        rig_call_overdue(&rig, channel, &out[i]);
    // Their streams are closed, their handlers still run.
    assert_true(rig_call(channel, &out[2], &(struct grpc_call_spec){.path = RIG_PARK}));
    rig_await(&rig, out, 3);
    EXPECT(out[2].status == GRPC_UNAVAILABLE && out[2].not_processed, "%s", rig_shown(&out[2]));
    rig_release(&rig);
    do { // until the release came through
        assert_true(rig_call(channel, &out[2], &(struct grpc_call_spec){.path = RIG_PARK}));
        rig_await(&rig, out, 3);
    } while (out[2].status != GRPC_OK);
    grpc_channel_destroy(channel);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

static void connections_above_the_limit_are_closed_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, (struct grpc_server_config){.connections_max = 2});
    struct rig_outcome out[3];
    struct grpc_channel *channels[3];
    for (int i = 0; i < 3; i++) {
        channels[i] = rig_channel(&rig, NULL);
        assert_true(rig_call(channels[i], &out[i], &(struct grpc_call_spec){.path = RIG_ECHO}));
        rig_await(&rig, &out[i], 1);
        EXPECT(out[i].status == (i < 2 ? GRPC_OK : GRPC_UNAVAILABLE), "connection %d: %s", i,
               rig_shown(&out[i]));
    }
    assert_true(out[2].not_processed);
    for (int i = 0; i < 3; i++)
        grpc_channel_destroy(channels[i]);
    assert_true(grpc_server_stop(rig.server, RIG_PATIENCE_MS));
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered_whatever_loop_they_come_to),
        cmocka_unit_test(messages_up_to_the_limit_pass_and_larger_ones_are_refused),
        cmocka_unit_test(a_refusal_carries_its_text_and_details),
        cmocka_unit_test(a_handler_may_answer_after_the_deadline),
        cmocka_unit_test(a_handler_may_answer_after_its_client_left),
        cmocka_unit_test(a_call_never_answered_is_cut_when_the_grace_is_over),
        cmocka_unit_test(a_port_that_is_taken_is_busy),
        cmocka_unit_test(no_more_calls_run_at_once_than_the_limit),
        cmocka_unit_test(calls_that_were_left_running_count_against_the_limit),
        cmocka_unit_test(connections_above_the_limit_are_closed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
