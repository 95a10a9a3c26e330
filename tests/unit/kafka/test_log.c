// SPDX-License-Identifier: Apache-2.0
#include "kafka/log.h"

#include "base/clock.h"

#include "unit.h"

#include <stdio.h>

static void repeated_lines_are_counted_instead_of_kept(void **state)
{
    (void)state;
    struct kafka_log_limit limit = {0};
    int dropped = -1;
    for (int i = 0; i < KAFKA_LOG_LINES_MAX; i++) {
        assert_true(kafka_log_keep(&limit, "FAIL", NS_PER_S, &dropped));
        assert_int_equal(dropped, 0);
    }
    for (int i = 0; i < 7; i++)
        assert_false(kafka_log_keep(&limit, "FAIL", 2 * NS_PER_S, &dropped));
    assert_true(kafka_log_keep(&limit, "ERROR", 2 * NS_PER_S, &dropped)); // another kind
    assert_int_equal(dropped, 0);
    const int64_t later = (1 + KAFKA_LOG_WINDOW_S) * NS_PER_S;
    assert_true(kafka_log_keep(&limit, "FAIL", later, &dropped));
    assert_int_equal(dropped, 7);
    assert_true(kafka_log_keep(&limit, "FAIL", later, &dropped));
    assert_int_equal(dropped, 0);
}

static void more_kinds_than_there_is_room_for_are_still_kept(void **state)
{
    (void)state;
    struct kafka_log_limit limit = {0};
    for (int i = 0; i < 3 * KAFKA_LOG_KINDS_MAX; i++) {
        char kind[32];
        int dropped = -1;
        snprintf(kind, sizeof(kind), "a long kind of line %d", i);
        (void)kafka_log_keep(&limit, kind, (i + 1) * NS_PER_S, &dropped);
        snprintf(kind, sizeof(kind), "%d", i);
        assert_true(kafka_log_keep(&limit, kind, (i + 1) * NS_PER_S, &dropped));
        assert_int_equal(dropped, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_lines_are_counted_instead_of_kept),
        cmocka_unit_test(more_kinds_than_there_is_room_for_are_still_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
