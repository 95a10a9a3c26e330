// SPDX-License-Identifier: Apache-2.0
#include "totals/sources.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define MANY 5000

static struct uuid id_of(int number)
{
    struct uuid id;
    snprintf(id.text, sizeof(id.text), "%08x-0000-4000-8000-%012x", (unsigned)number,
             (unsigned)number * 7);
    return id;
}

static struct event event_of(int source, int64_t sequence, int64_t sum)
{
    return (struct event){
        .source = id_of(source), .sequence = sequence, .sum = sum, .accepted_unix_us = sequence};
}

static struct source *add(struct sources *s, int number)
{
    const struct uuid id = id_of(number);
    struct source *source = sources_add(s, &id);
    assert_non_null(source);
    return source;
}

static struct source *find(const struct sources *s, int number)
{
    const struct uuid id = id_of(number);
    return sources_find(s, &id);
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct sources *s = sources_create(MANY);
    for (int i = 0; i < MANY; i++)
        add(s, i)->count = i;
    for (int i = 0; i < MANY; i += 2)
        sources_remove(s, find(s, i));
    assert_int_equal(sources_count(s), MANY / 2);
    for (int i = 0; i < MANY; i++) {
        const struct source *source = find(s, i);
        EXPECT(i % 2 == 0 ? source == NULL : source != NULL && source->count == i, "source %d", i);
    }
    int64_t together = 0; // walking meets each of the odd ones once
    for (size_t i = 0; i < sources_count(s); i++)
        together += sources_at(s, i)->count;
    assert_int_equal(together, (int64_t)MANY / 2 * MANY / 2);
    sources_destroy(s);
}

static void one_source_too_many_is_not_added(void **state)
{
    (void)state;
    struct sources *s = sources_create(2);
    const struct uuid third = id_of(3);
    struct source *first = add(s, 1);
    add(s, 2);
    assert_null(sources_add(s, &third));
    assert_ptr_equal(add(s, 1), first); // a known one still is
    sources_remove(s, find(s, 2));
    assert_non_null(sources_add(s, &third));
    sources_destroy(s);
}

static void count_and_sum_move_exactly_with_the_position(void **state)
{
    (void)state;
    static const struct {
        int64_t sequence, sum;
        enum apply_verdict verdict;
        int64_t count, duplicates, total;
    } table[] = {
        {1, 10, APPLY_NEW, 1, 0, 10},         {1, 10, APPLY_DUPLICATE, 1, 1, 10},
        {3, -4, APPLY_NEW, 2, 1, 6},          {2, 100, APPLY_NEW, 3, 1, 106},
        {2, 100, APPLY_DUPLICATE, 3, 2, 106},
    };
    struct sources *s = sources_create(1);
    struct source *source = add(s, 1);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct event event = event_of(1, table[i].sequence, table[i].sum);
        const enum apply_verdict verdict = sources_apply(s, source, &event, 7, (int64_t)i);
        EXPECT(verdict == table[i].verdict && source->count == table[i].count &&
                   source->duplicates == table[i].duplicates && source->sum == table[i].total,
               "row %zu", i);
    }
    assert_int_equal(source->partition, 7);
    assert_int_equal(source->applied_unix_us, 3); // the last new one was row 3
    assert_int_equal(source->accepted_unix_us, 2);
    sources_destroy(s);
}

static void a_refused_event_changes_nothing(void **state)
{
    (void)state;
    struct sources *s = sources_create(1);
    struct source *source = add(s, 1);
    for (int64_t i = 1; i <= APPLY_RANGES_MAX; i++) {
        const struct event event = event_of(1, 2 * i, 1);
        assert_int_equal(sources_apply(s, source, &event, 0, 1), APPLY_NEW);
    }
    assert_ptr_equal(sources_touched_take(s), source);
    const struct event refused = event_of(1, 1000000, 1);
    assert_int_equal(sources_apply(s, source, &refused, 0, 1), APPLY_REFUSED);
    assert_int_equal(source->count, APPLY_RANGES_MAX);
    assert_int_equal(source->sum, APPLY_RANGES_MAX);
    assert_null(sources_touched(s));
    sources_destroy(s);
}

static void the_touched_ones_are_listed_once(void **state)
{
    (void)state;
    struct sources *s = sources_create(3);
    for (int i = 1; i <= 3; i++)
        add(s, i);
    for (int64_t sequence = 1; sequence <= 5; sequence++) {
        const struct event one = event_of(1, sequence, 0), three = event_of(3, 2 * sequence, 0);
        sources_apply(s, find(s, 1), &one, 0, 1);
        sources_apply(s, find(s, 3), &three, 0, 1);
    }
    struct source *first = sources_touched_take(s), *second = sources_touched_take(s);
    assert_ptr_equal(first, find(s, 3));
    assert_true(first->ranges_changed);
    assert_ptr_equal(second, find(s, 1));
    assert_false(second->ranges_changed); // all in order
    assert_null(sources_touched_take(s));
    sources_destroy(s);
}

static void a_copy_is_equal_and_stands_alone(void **state)
{
    (void)state;
    struct sources *s = sources_create(1), *t = sources_create(1);
    struct source *source = add(s, 1), *copy = add(t, 1);
    const struct event gap = event_of(1, 5, 9), late = event_of(1, 2, 1);
    sources_apply(s, source, &gap, 4, 1);
    source_copy(copy, source, true);
    sources_apply(s, source, &late, 4, 1);
    assert_int_equal(copy->count, 1);
    assert_true(copy->sum == 9);
    assert_int_equal(copy->position.highest, 5);
    assert_int_equal(position_missing(&copy->position), 4);
    assert_int_equal(position_missing(&source->position), 3);
    source_copy(source, copy, true); // and back: as before the late one
    assert_int_equal(sources_apply(s, source, &late, 4, 1), APPLY_NEW);
    assert_int_equal(source->count, 2);
    sources_destroy(s);
    sources_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_until_it_is_removed),
        cmocka_unit_test(one_source_too_many_is_not_added),
        cmocka_unit_test(count_and_sum_move_exactly_with_the_position),
        cmocka_unit_test(a_refused_event_changes_nothing),
        cmocka_unit_test(the_touched_ones_are_listed_once),
        cmocka_unit_test(a_copy_is_equal_and_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
