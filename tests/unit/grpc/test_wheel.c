// SPDX-License-Identifier: Apache-2.0
#include "grpc/wheel.h"

#include "base/clock.h"
#include "unit.h"

#include <stdlib.h>

#define TICK_NS  (GRPC_WHEEL_TICK_MS * NS_PER_MS)
#define ROUND_NS (GRPC_WHEEL_SLOTS * TICK_NS)
#define START_NS (1000 * NS_PER_S + 1)

static size_t turn(struct grpc_wheel *w, int64_t now_mono_ns)
{
    struct grpc_timed_list due = LIST_HEAD_INITIALIZER(due);
    grpc_wheel_turn(w, now_mono_ns, &due);
    size_t count = 0;
    struct grpc_timed *t;
    while ((t = LIST_FIRST(&due)) != NULL) {
        EXPECT(t->deadline_mono_ns <= now_mono_ns, "%lld ns too early",
               (long long)(t->deadline_mono_ns - now_mono_ns));
        grpc_wheel_remove(w, t);
        count++;
    }
    return count;
}

static void a_deadline_is_due_once_it_is_reached(void **state)
{
    (void)state;
    static const int64_t after_ns[] = {-5 * NS_PER_S,   0,        1,
                                       TICK_NS - 1,     TICK_NS,  TICK_NS + 1,
                                       ROUND_NS - 1,    ROUND_NS, ROUND_NS + TICK_NS,
                                       3 * ROUND_NS + 7};
    for (size_t i = 0; i < COUNT_OF(after_ns); i++) {
        struct grpc_wheel w;
        grpc_wheel_init(&w, START_NS);
        struct grpc_timed t = {.deadline_mono_ns = START_NS + after_ns[i]};
        grpc_wheel_add(&w, &t);
        int64_t now = START_NS;
        for (; now < t.deadline_mono_ns; now += TICK_NS)
            EXPECT(turn(&w, now) == 0, "row %zu: early", i);
        EXPECT(turn(&w, now) == 1, "row %zu: late", i);
        assert_int_equal(w.count, 0);
    }
}

static void a_long_pause_misses_nothing(void **state)
{
    (void)state;
    struct grpc_wheel w;
    grpc_wheel_init(&w, START_NS);
    struct grpc_timed t[100];
    for (int i = 0; i < 100; i++) {
        t[i].deadline_mono_ns = START_NS + i * NS_PER_S;
        grpc_wheel_add(&w, &t[i]);
    }
    assert_int_equal(turn(&w, START_NS + 50 * NS_PER_S), 51);
    assert_int_equal(turn(&w, START_NS + 500 * NS_PER_S), 49);
}

static void none_is_a_deadline_that_hangs_nowhere(void **state)
{
    (void)state;
    struct grpc_wheel w;
    grpc_wheel_init(&w, START_NS);
    struct grpc_timed t = {.deadline_mono_ns = INT64_MAX};
    grpc_wheel_add(&w, &t);
    assert_int_equal(w.count, 0);
    grpc_wheel_remove(&w, &t);
    assert_int_equal(w.count, 0);
}

// Against the obvious model: look at every deadline each time.
static void a_random_history_agrees_with_a_list(void **state)
{
    (void)state;
    const unsigned seed = arc4random();
    print_message("seed %u\n", seed);
    srandom(seed);
    struct grpc_wheel w;
    grpc_wheel_init(&w, START_NS);
    struct grpc_timed t[200];
    bool set[200] = {false};
    int64_t now = START_NS;
    for (int step = 0; step < 20000; step++) {
        const size_t i = (size_t)random() % COUNT_OF(t);
        if (set[i]) {
            grpc_wheel_remove(&w, &t[i]);
        } else {
            t[i].deadline_mono_ns = now + random() % (2 * ROUND_NS);
            grpc_wheel_add(&w, &t[i]);
        }
        set[i] = !set[i];
        now += random() % (random() % 100 == 0 ? 2 * ROUND_NS : TICK_NS);
        size_t due = 0;
        for (size_t k = 0; k < COUNT_OF(t); k++) {
            const bool is_due = set[k] && t[k].deadline_mono_ns <= now;
            due += is_due;
            set[k] &= !is_due;
        }
        const size_t got = turn(&w, now);
        EXPECT(got == due, "step %d: %zu are due, got %zu", step, due, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_due_once_it_is_reached),
        cmocka_unit_test(a_long_pause_misses_nothing),
        cmocka_unit_test(none_is_a_deadline_that_hangs_nowhere),
        cmocka_unit_test(a_random_history_agrees_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
