// SPDX-License-Identifier: Apache-2.0
#include "telemetry/span_queue.h"

#include "base/clock.h"

#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

static struct span_bytes *span_of(size_t length)
{
    struct span_bytes *span = xcalloc(1, sizeof(*span) + length);
    span->length = length;
    return span;
}

static bool put(struct span_queue *queue, size_t length)
{
    struct span_bytes *span = span_of(length);
    const bool taken = span_queue_put(queue, span);
    if (!taken)
        free(span);
    return taken;
}

// How many there were; their memory is freed.
static size_t list_end(struct span_bytes *spans)
{
    size_t count = 0;
    for (struct span_bytes *next; spans != NULL; spans = next, count++) {
        next = spans->next;
        free(spans);
    }
    return count;
}

static void it_holds_as_many_as_its_limit(void **state)
{
    (void)state;
    struct span_queue *queue = span_queue_create(3, 2);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++) {
            assert_true(span_queue_has_room(queue));
            assert_true(put(queue, 1));
        }
        assert_false(span_queue_has_room(queue));
        assert_false(put(queue, 1));
        assert_int_equal(span_queue_length(queue), 3);
        assert_int_equal(list_end(span_queue_take(queue, 100, 100)), 3);
        assert_int_equal(span_queue_length(queue), 0);
        assert_null(span_queue_take(queue, 100, 100));
    }
    span_queue_destroy(queue);
}

static void a_batch_has_the_oldest_and_fits_both_limits(void **state)
{
    (void)state;
    static const struct {
        size_t count_max, bytes_max, count;
    } table[] = {
        {1, 1000, 1}, {2, 1000, 2}, {9, 1000, 4}, {9, 29, 1},
        {9, 30, 2},   {9, 100, 4},  {9, 5, 1}, // one that is larger goes alone
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct span_queue *queue = span_queue_create(9, 9);
        for (size_t length = 10; length <= 40; length += 10)
            assert_true(put(queue, length));
        struct span_bytes *taken = span_queue_take(queue, table[i].count_max, table[i].bytes_max);
        assert_int_equal(taken->length, 10);
        const size_t count = list_end(taken);
        EXPECT(count == table[i].count && span_queue_length(queue) == 4 - count,
               "at most %zu spans, %zu bytes: took %zu", table[i].count_max, table[i].bytes_max,
               count);
        span_queue_destroy(queue); // with what still waits
    }
}

static void waiting_ends_with_a_batch_a_time_or_the_end(void **state)
{
    (void)state;
    struct span_queue *queue = span_queue_create(3, 2);
    assert_true(put(queue, 1));
    assert_false(span_queue_wait(queue, clock_mono_ns())); // the time has come
    assert_true(put(queue, 1));
    assert_true(span_queue_wait(queue, INT64_MAX));
    assert_false(span_queue_ended(queue));
    span_queue_end(queue);
    assert_true(span_queue_ended(queue));
    assert_false(span_queue_wait(queue, INT64_MAX));
    span_queue_sleep(queue, INT64_MAX, false);      // the end came after the caller had looked
    span_queue_sleep(queue, clock_mono_ns(), true); // it is known: only the time counts
    span_queue_destroy(queue);
}

static void *sleep_main(void *queue)
{
    span_queue_sleep(queue, INT64_MAX, false);
    return NULL;
}

static void the_end_ends_a_sleep_but_spans_do_not(void **state)
{
    (void)state;
    struct span_queue *queue = span_queue_create(3, 2);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_main, queue), 0);
    assert_true(put(queue, 1) && put(queue, 1));
    span_queue_end(queue);
    assert_int_equal(pthread_join(thread, NULL), 0);
    span_queue_destroy(queue);
}

#define PUTTERS 4
#define PUTS    5000

static void *putter_main(void *queue)
{
    size_t taken = 0;
    for (int i = 0; i < PUTS; i++)
        taken += put(queue, 8);
    return (void *)taken;
}

static void what_is_put_by_many_is_taken_once(void **state)
{
    (void)state;
    struct span_queue *queue = span_queue_create(64, 16);
    pthread_t threads[PUTTERS];
    for (size_t i = 0; i < PUTTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, putter_main, queue), 0);
    size_t got = 0, given = 0;
    for (int i = 0; i < PUTS; i++)
        got += list_end(span_queue_take(queue, 16, 1000));
    for (size_t i = 0; i < PUTTERS; i++) {
        void *taken;
        assert_int_equal(pthread_join(threads[i], &taken), 0);
        given += (size_t)taken;
    }
    while (span_queue_length(queue) > 0)
        got += list_end(span_queue_take(queue, 16, 1000));
    assert_int_equal(got, given);
    span_queue_destroy(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_as_many_as_its_limit),
        cmocka_unit_test(a_batch_has_the_oldest_and_fits_both_limits),
        cmocka_unit_test(waiting_ends_with_a_batch_a_time_or_the_end),
        cmocka_unit_test(the_end_ends_a_sleep_but_spans_do_not),
        cmocka_unit_test(what_is_put_by_many_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
