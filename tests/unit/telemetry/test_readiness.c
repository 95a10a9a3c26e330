// SPDX-License-Identifier: Apache-2.0
#include "telemetry/readiness.h"

#include "unit.h"

#include <pthread.h>
#include <string.h>

enum { OUTBOX, KAFKA };
static const char *const names[] = {"outbox", "kafka"};

struct heard {
    int calls;
    bool ready;
};

static void on_change(bool ready, void *ctx)
{
    struct heard *heard = ctx;
    heard->calls++;
    heard->ready = ready;
}

static void expect_json(struct readiness *readiness, const char *json)
{
    struct bytes out = {0};
    readiness_json(readiness, &out);
    assert_string_equal((const char *)out.data, json);
    bytes_clear(&out);
}

static void a_service_is_ready_when_every_condition_holds(void **state)
{
    (void)state;
    struct readiness *readiness = readiness_create(names, 2);
    assert_false(readiness_get(readiness));
    expect_json(readiness, "{\"ready\":false,\"conditions\":"
                           "{\"outbox\":\"starting\",\"kafka\":\"starting\"}}");
    readiness_set(readiness, OUTBOX, true, "");
    assert_false(readiness_get(readiness));
    readiness_set(readiness, KAFKA, true, NULL);
    assert_true(readiness_get(readiness));
    expect_json(readiness, "{\"ready\":true,\"conditions\":{\"outbox\":\"ok\",\"kafka\":\"ok\"}}");
    readiness_set(readiness, KAFKA, false, "no broker \"answers\"");
    assert_false(readiness_get(readiness));
    expect_json(readiness, "{\"ready\":false,\"conditions\":"
                           "{\"outbox\":\"ok\",\"kafka\":\"no broker \\\"answers\\\"\"}}");
    readiness_destroy(readiness);
}

static void only_changes_of_the_whole_are_told(void **state)
{
    (void)state;
    struct heard heard = {.calls = 0};
    struct readiness *readiness = readiness_create(names, 2);
    readiness_on_change(readiness, on_change, &heard);
    readiness_set(readiness, OUTBOX, true, "");
    assert_int_equal(heard.calls, 0);
    readiness_set(readiness, KAFKA, true, "");
    assert_int_equal(heard.calls, 1);
    assert_true(heard.ready);
    readiness_set(readiness, KAFKA, true, "");
    assert_int_equal(heard.calls, 1);
    readiness_set(readiness, OUTBOX, false, "disk full");
    readiness_set(readiness, KAFKA, false, "away");
    readiness_set(readiness, OUTBOX, true, "");
    assert_int_equal(heard.calls, 2);
    assert_false(heard.ready);
    readiness_destroy(readiness);
}

static void long_reasons_are_cut(void **state)
{
    (void)state;
    static char lots[100000];
    memset(lots, 'x', sizeof(lots) - 1);
    struct readiness *readiness = readiness_create(names, 1);
    readiness_set(readiness, OUTBOX, false, lots);
    struct bytes out = {0};
    readiness_json(readiness, &out);
    assert_true(out.length < 5000);
    assert_memory_equal(out.data + out.length - 4, "x\"}}", 4);
    bytes_clear(&out);
    readiness_destroy(readiness);
}

#define FLIPS 20000

static void *flip_outbox(void *ctx)
{
    for (int i = 0; i < FLIPS; i++)
        readiness_set(ctx, OUTBOX, i % 2 == 0, "away");
    return NULL;
}

static void *flip_kafka(void *ctx)
{
    for (int i = 0; i < FLIPS; i++)
        readiness_set(ctx, KAFKA, i % 2 == 0, "away");
    return NULL;
}

static void the_last_word_is_the_last_state(void **state)
{
    (void)state;
    struct readiness *readiness = readiness_create(names, 2);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, flip_outbox, readiness);
    pthread_create(&threads[1], NULL, flip_kafka, readiness);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_false(readiness_get(readiness));
    readiness_set(readiness, OUTBOX, true, "");
    readiness_set(readiness, KAFKA, true, "");
    assert_true(readiness_get(readiness));
    readiness_destroy(readiness);
}

static void on_change_in_order(bool ready, void *ctx)
{
    struct heard *heard = ctx;
    heard->calls++;
    EXPECT(heard->ready != ready, "call %d told %d again", heard->calls, ready);
    heard->ready = ready;
}

static void changes_are_told_one_after_the_other_and_the_last_is_true(void **state)
{
    (void)state;
    struct heard heard = {.calls = 0};
    struct readiness *readiness = readiness_create(names, 2);
    readiness_on_change(readiness, on_change_in_order, &heard);
    readiness_set(readiness, KAFKA, true, "");
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, flip_outbox, readiness);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(heard.ready, readiness_get(readiness));
    assert_true(heard.calls > 0);
    readiness_destroy(readiness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_ready_when_every_condition_holds),
        cmocka_unit_test(only_changes_of_the_whole_are_told),
        cmocka_unit_test(long_reasons_are_cut),
        cmocka_unit_test(the_last_word_is_the_last_state),
        cmocka_unit_test(changes_are_told_one_after_the_other_and_the_last_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
