// SPDX-License-Identifier: Apache-2.0
#include "adder/timeline.h"

#include "random.h"
#include "unit.h"

static uint64_t seed;

static void add(struct timeline *t, int64_t last, int64_t mono_ns)
{
    timeline_add(t, &(struct stretch){last, mono_ns, 1000 + last});
}

static void expect_taken(struct timeline *t, int64_t up_to, int64_t n, int64_t mono_ns)
{
    int64_t got_ns = -1;
    const int64_t got = timeline_take(t, up_to, &got_ns);
    EXPECT(got == n && (n == 0 || got_ns == mono_ns),
           "up to %" PRId64 ": %" PRId64 " of time %" PRId64 ", want %" PRId64 " of %" PRId64,
           up_to, got, got_ns, n, mono_ns);
}

static void stretches_are_taken_in_order_and_in_parts(void **state)
{
    (void)state;
    struct timeline t;
    timeline_init(&t, 100);
    expect_taken(&t, 100, 0, 0);
    add(&t, 110, 5);
    add(&t, 130, 6);
    expect_taken(&t, 104, 4, 5);
    expect_taken(&t, 104, 0, 0);
    expect_taken(&t, 125, 6, 5);
    expect_taken(&t, 125, 15, 6);
    expect_taken(&t, 125, 0, 0);
    assert_int_equal(timeline_oldest(&t)->first_unix_us, 1130);
    expect_taken(&t, 130, 5, 6);
    assert_null(timeline_oldest(&t));
}

static void what_happened_before_is_not_known(void **state)
{
    (void)state;
    struct timeline t;
    timeline_init(&t, 100);
    expect_taken(&t, 50, 0, 0); // of a former process, or again after a replay
    add(&t, 90, 1);
    assert_null(timeline_oldest(&t));
    expect_taken(&t, 120, 0, 0); // nobody noted 101 to 120
    add(&t, 125, 2);
    expect_taken(&t, 1000, 5, 2);
}

static void neighbours_of_one_time_are_one_stretch(void **state)
{
    (void)state;
    struct timeline t;
    timeline_init(&t, 0);
    for (int64_t last = 1; last <= 1000; last++)
        add(&t, last, last / 500);
    assert_int_equal(t.count, 3);
    expect_taken(&t, 1000, 499, 0);
    expect_taken(&t, 1000, 500, 1);
    expect_taken(&t, 1000, 1, 2);
}

// However much waits, each sequence's time is wrong by a small part of the whole wait at most, and
// none is told too short.
static void a_long_wait_is_known_less_exactly_but_none_is_lost(void **state)
{
    (void)state;
    enum { COUNT = 20000, STEP_NS = 10 };
    struct timeline t;
    timeline_init(&t, 0);
    for (int64_t last = 1; last <= COUNT; last++)
        add(&t, last, last * STEP_NS);
    const int64_t now_ns = COUNT * STEP_NS, coarse_ns = now_ns * 4 / TIMELINE_STRETCHES_MAX;
    int64_t n, at_ns, sequence = 0;
    while ((n = timeline_take(&t, COUNT, &at_ns)) > 0) {
        EXPECT(at_ns <= (sequence + 1) * STEP_NS, "sequence %" PRId64 " too short", sequence + 1);
        sequence += n;
        EXPECT(at_ns >= sequence * STEP_NS - coarse_ns, "sequence %" PRId64 " is %" PRId64 " off",
               sequence, sequence * STEP_NS - at_ns);
    }
    assert_int_equal(sequence, COUNT);
}

static void random_histories_lose_no_sequence(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct timeline t;
        timeline_init(&t, 0);
        int64_t added = 0, taken = 0, now_ns = 1;
        for (int step = 0; step < 500; step++) {
            now_ns += random_below(&seed, 3);
            if (random_below(&seed, 3) > 0)
                add(&t, added += 1 + random_below(&seed, 5), now_ns);
            const int64_t up_to = taken + random_below(&seed, added - taken + 1);
            int64_t n, at_ns;
            while ((n = timeline_take(&t, up_to, &at_ns)) > 0) {
                taken += n;
                EXPECT(at_ns <= now_ns, "a time to come");
            }
            EXPECT(taken == up_to, "%" PRId64 " taken, want %" PRId64, taken, up_to);
        }
    }
}

int main(int argc, char **argv)
{
    seed = random_seed(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stretches_are_taken_in_order_and_in_parts),
        cmocka_unit_test(what_happened_before_is_not_known),
        cmocka_unit_test(neighbours_of_one_time_are_one_stretch),
        cmocka_unit_test(a_long_wait_is_known_less_exactly_but_none_is_lost),
        cmocka_unit_test(random_histories_lose_no_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
