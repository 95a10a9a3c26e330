// SPDX-License-Identifier: Apache-2.0
// The Add call over a real connection: our client, our server, a real outbox.
#include "adder/add_service.h"

#include "grpc/client.h"

#include "adder.pb-c.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_A       "11111111-2222-4333-8444-555555555555"
#define ID_A_UPPER "AAAAAAAA-2222-4333-8444-555555555555"
#define ID_A_LOWER "aaaaaaaa-2222-4333-8444-555555555555"

static const char *const names[] = {"outbox"};

static struct world {
    char *folder, *path, port[16];
    struct outbox *outbox;
    struct readiness *readiness;
    struct writer *writer;
    struct add_service *service;
    struct grpc_server *server;
    struct uuid source;
} world;

static void nobody(void *ctx)
{
    (void)ctx;
}

static int set_up(void **state)
{
    (void)state;
    struct world *w = &world;
    struct err err;
    w->folder = scratch_create();
    w->path = xasprintf("%s/outbox.db", w->folder);
    const struct outbox_config outbox = {w->path, 1000, 1000};
    EXPECT(outbox_open(&w->outbox, &outbox, &err), "%s", err.text);
    struct outbox_stats stats;
    outbox_stats(w->outbox, &stats);
    w->source = stats.source;
    w->readiness = readiness_create(names, 1);
    const struct writer_config config = {
        .queue_max = 100, .readiness = w->readiness, .on_committed = nobody};
    w->writer = writer_create(w->outbox, &config);
    w->service = add_service_create(w->writer, &stats.source, 1);
    memset(&stats, 0xff, sizeof(stats)); // the service lives on what it was given, not where it lay
    const struct grpc_method method = add_service_method(w->service);
    const struct grpc_server_config server = {.address = "127.0.0.1", .loops = 1};
    EXPECT(grpc_server_create(&w->server, &server, &method, 1, &err), "%s", err.text);
    add_service_attach(w->service, w->server);
    writer_start(w->writer);
    grpc_server_start(w->server);
    snprintf(w->port, sizeof(w->port), "%d", grpc_server_port(w->server));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct world *w = &world;
    assert_true(grpc_server_stop(w->server, 5000));
    writer_stop(w->writer);
    grpc_server_destroy(w->server);
    add_service_destroy(w->service);
    writer_destroy(w->writer);
    outbox_close(w->outbox);
    readiness_destroy(w->readiness);
    scratch_remove(w->folder);
    free(w->path);
    return 0;
}

static void call(struct grpc_slice message, struct grpc_answer *answer)
{
    const struct grpc_call_spec spec = {
        .path = "/abacus.v1.Adder/Add", .message = message, .timeout_ms = 10000};
    grpc_call_blocking("127.0.0.1", world.port, &spec, answer);
}

static void add(int64_t a, int64_t b, const char *request_id, struct grpc_answer *answer)
{
    Abacus__V1__AddRequest request = ABACUS__V1__ADD_REQUEST__INIT;
    request.a = a;
    request.b = b;
    request.request_id = (char *)(uintptr_t)request_id;
    uint8_t packed[128];
    call((struct grpc_slice){packed, abacus__v1__add_request__pack(&request, packed)}, answer);
}

static void expect_sum(int64_t a, int64_t b, const char *request_id, int64_t sequence)
{
    struct grpc_answer answer;
    add(a, b, request_id, &answer);
    EXPECT(answer.status == GRPC_OK, "%s", grpc_status_name((int)answer.status));
    Abacus__V1__AddResponse *response =
        abacus__v1__add_response__unpack(NULL, answer.message.length, answer.message.data);
    assert_non_null(response);
    assert_int_equal(response->sum, a + b);
    assert_int_equal(response->sequence, sequence);
    assert_string_equal(response->source, world.source.text);
    abacus__v1__add_response__free_unpacked(response, NULL);
    grpc_answer_clear(&answer);
}

static void expect_refused(struct grpc_answer *answer, enum grpc_status status, const char *reason)
{
    EXPECT(answer->status == status, "status %s, want %s", grpc_status_name((int)answer->status),
           grpc_status_name((int)status));
    EXPECT(memmem(answer->details.data, answer->details.length, reason, strlen(reason)) != NULL,
           "the details do not hold the reason %s", reason);
    grpc_answer_clear(answer);
}

static int64_t appended(void)
{
    struct outbox_stats stats;
    outbox_stats(world.outbox, &stats);
    return stats.appended;
}

static void a_sum_is_answered_with_its_place(void **state)
{
    (void)state;
    const int64_t before = appended();
    expect_sum(2, 3, "", before + 1);
    expect_sum(INT64_MAX, 0, "", before + 2);
    expect_sum(INT64_MIN, INT64_MAX, "", before + 3);
}

static void a_sum_that_does_not_fit_is_refused_and_not_written(void **state)
{
    (void)state;
    static const int64_t table[][2] = {
        {INT64_MAX, 1}, {1, INT64_MAX}, {INT64_MIN, -1}, {INT64_MIN, INT64_MIN}};
    const int64_t before = appended();
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct grpc_answer answer;
        add(table[i][0], table[i][1], "", &answer);
        expect_refused(&answer, GRPC_OUT_OF_RANGE, "SUM_OUT_OF_RANGE");
    }
    assert_int_equal(appended(), before);
}

static void a_request_id_gets_its_first_answer_again(void **state)
{
    (void)state;
    const int64_t before = appended();
    expect_sum(20, 22, ID_A_UPPER, before + 1);
    expect_sum(1, 1, "", before + 2);
    expect_sum(20, 22, ID_A_UPPER, before + 1);
    expect_sum(20, 22, ID_A_LOWER, before + 1); // UUIDs are compared without regard to case
    assert_int_equal(appended(), before + 2);
}

static void a_request_id_with_other_numbers_is_refused(void **state)
{
    (void)state;
    expect_sum(1, 2, ID_A, appended() + 1);
    const int64_t before = appended();
    struct grpc_answer answer;
    add(2, 1, ID_A, &answer);
    expect_refused(&answer, GRPC_INVALID_ARGUMENT, "REQUEST_ID_REUSED");
    add(1, 2, "not a uuid", &answer);
    expect_refused(&answer, GRPC_INVALID_ARGUMENT, "REQUEST_ID_MALFORMED");
    assert_int_equal(appended(), before);
}

static void bytes_that_are_no_request_are_refused(void **state)
{
    (void)state;
    struct grpc_answer answer;
    call((struct grpc_slice){(const uint8_t *)"\xff\xff", 2}, &answer);
    expect_refused(&answer, GRPC_INTERNAL, "REQUEST_MALFORMED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_is_answered_with_its_place),
        cmocka_unit_test(a_sum_that_does_not_fit_is_refused_and_not_written),
        cmocka_unit_test(a_request_id_gets_its_first_answer_again),
        cmocka_unit_test(a_request_id_with_other_numbers_is_refused),
        cmocka_unit_test(bytes_that_are_no_request_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
