// SPDX-License-Identifier: Apache-2.0
#include "grpc/guard.h"

#include "base/clock.h"
#include "unit.h"

#define START_NS (1000 * NS_PER_S)

static int spend_all(struct grpc_budget *b, int64_t now_mono_ns, int tries)
{
    int spent = 0;
    while (spent < tries && grpc_budget_spend(b, now_mono_ns))
        spent++;
    return spent;
}

static void a_budget_allows_its_burst_and_refills(void **state)
{
    (void)state;
    struct grpc_budget b;
    grpc_budget_init(&b, 100, 10);
    assert_int_equal(spend_all(&b, START_NS, 1000), 100);
    assert_false(grpc_budget_spend(&b, START_NS));
    assert_int_equal(spend_all(&b, START_NS + NS_PER_S, 1000), 10);
    assert_int_equal(spend_all(&b, START_NS + NS_PER_S * 3, 1000), 20);
    assert_int_equal(spend_all(&b, START_NS + NS_PER_S * 1000, 1000), 100); // and no more
}

static void a_steady_rate_is_never_too_much(void **state)
{
    (void)state;
    struct grpc_budget b;
    grpc_budget_init(&b, 1, 1000);
    for (int i = 0; i < 10000; i++)
        EXPECT(grpc_budget_spend(&b, START_NS + i * NS_PER_MS), "event %d", i);
}

static void extreme_budgets_do_not_overflow(void **state)
{
    (void)state;
    struct grpc_budget b;
    grpc_budget_init(&b, INT64_MAX, 1);
    assert_int_equal(spend_all(&b, START_NS, 10000), 10000);
    grpc_budget_init(&b, 5, INT64_MAX);
    assert_int_equal(spend_all(&b, START_NS, 100), 5);
}

static void the_third_early_ping_is_too_many(void **state)
{
    (void)state;
    static const struct {
        int64_t after_ms;
        bool sent, allowed;
    } table[] = {
        // The first is never early; then two strikes, then the end.
        {0, false, true},
        {1, false, true},
        {1, false, true},
        {9999, false, false},
        // In time: no strike, but none is forgiven.
        {10000, false, false},
        // Data or headers sent in between forgive all.
        {1, true, true},
        {1, false, true},
        {1, false, true},
        {10000, false, true},
        {1, false, false},
    };
    struct grpc_ping_guard g;
    grpc_ping_guard_init(&g, 10 * NS_PER_S);
    int64_t now = START_NS;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        now += table[i].after_ms * NS_PER_MS;
        if (table[i].sent)
            grpc_ping_guard_sent(&g);
        EXPECT(grpc_ping_guard_allow(&g, now) == table[i].allowed, "row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_allows_its_burst_and_refills),
        cmocka_unit_test(a_steady_rate_is_never_too_much),
        cmocka_unit_test(extreme_budgets_do_not_overflow),
        cmocka_unit_test(the_third_early_ping_is_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
