// SPDX-License-Identifier: Apache-2.0
#include "totals/apply.h"

#include "model.h"
#include "random.h"

#include <stdio.h>
#include <string.h>

static uint64_t seed;

// "2-3,7": as in the table of apply.h; "-" when nothing is missing.
static void format_missing(const struct position *p, char *out, size_t bytes)
{
    size_t length = (size_t)snprintf(out, bytes, "%s", p->missing_count == 0 ? "-" : "");
    for (size_t i = 0; i < p->missing_count; i++) {
        const long long first = p->missing[i].first, last = p->missing[i].last;
        const char *comma = i == 0 ? "" : ",";
        length +=
            (size_t)(first == last ? snprintf(out + length, bytes - length, "%s%lld", comma, first)
                                   : snprintf(out + length, bytes - length, "%s%lld-%lld", comma,
                                              first, last));
        assert_true(length < bytes);
    }
}

static const char *verdict_name(enum apply_verdict verdict)
{
    static const char *const names[] = {"new", "duplicate", "refused"};
    return names[verdict];
}

struct step {
    int64_t sequence;
    const char *verdict;
    int64_t highest;
    const char *missing;
};

static void follow(const struct step *steps, size_t count)
{
    struct position p = {0};
    for (size_t i = 0; i < count; i++) {
        char missing[128];
        const char *verdict = verdict_name(position_apply(&p, steps[i].sequence));
        format_missing(&p, missing, sizeof(missing));
        EXPECT(strcmp(verdict, steps[i].verdict) == 0 && p.highest == steps[i].highest &&
                   strcmp(missing, steps[i].missing) == 0,
               "step %zu: sequence %lld: %s, highest %lld, missing %s", i,
               (long long)steps[i].sequence, verdict, (long long)p.highest, missing);
    }
    position_clear(&p);
}

static void each_sequence_counts_once_whatever_the_order(void **state)
{
    (void)state;
    static const struct step steps[] = {
        // sequence, verdict, highest, missing
        {1, "new", 1, "-"},       {4, "new", 4, "2-3"},     {3, "new", 4, "2"},
        {3, "duplicate", 4, "2"}, {1, "duplicate", 4, "2"}, {4, "duplicate", 4, "2"},
        {2, "new", 4, "-"},       {2, "duplicate", 4, "-"}, {5, "new", 5, "-"},
    };
    follow(steps, COUNT_OF(steps));
}

static void a_range_shrinks_from_both_ends_and_splits_in_the_middle(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {10, "new", 10, "1-9"},
        {1, "new", 10, "2-9"},
        {9, "new", 10, "2-8"},
        {5, "new", 10, "2-4,6-8"},
        {5, "duplicate", 10, "2-4,6-8"},
        {12, "new", 12, "2-4,6-8,11"},
        {7, "new", 12, "2-4,6,8,11"},
        {3, "new", 12, "2,4,6,8,11"},
        {6, "new", 12, "2,4,8,11"},
        {11, "new", 12, "2,4,8"},
        {2, "new", 12, "4,8"},
        {13, "new", 13, "4,8"},
        {8, "new", 13, "4"},
        {4, "new", 13, "-"},
    };
    follow(steps, COUNT_OF(steps));
}

static void the_largest_sequence_is_a_sequence(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {INT64_MAX, "new", INT64_MAX, "1-9223372036854775806"},
        {INT64_MAX, "duplicate", INT64_MAX, "1-9223372036854775806"},
        {INT64_MAX - 1, "new", INT64_MAX, "1-9223372036854775805"},
        {2, "new", INT64_MAX, "1,3-9223372036854775805"},
    };
    follow(steps, COUNT_OF(steps));
    struct position p = {0};
    position_apply(&p, INT64_MAX);
    assert_true(position_missing(&p) == INT64_MAX - 1);
    position_clear(&p);
}

static void one_hole_too_many_is_refused_until_another_closes(void **state)
{
    (void)state;
    struct position p = {0};
    for (int64_t i = 0; i < APPLY_RANGES_MAX; i++) // 1-3, 5-7, 9-11 … are missing
        assert_int_equal(position_apply(&p, 4 * i + 4), APPLY_NEW);
    const int64_t highest = 4 * APPLY_RANGES_MAX;
    assert_int_equal(position_apply(&p, highest + 2), APPLY_REFUSED); // opens one
    assert_int_equal(position_apply(&p, 2), APPLY_REFUSED);           // splits one
    assert_int_equal(p.highest, highest);
    assert_int_equal(p.missing_count, APPLY_RANGES_MAX);
    assert_int_equal(position_missing(&p), 3 * APPLY_RANGES_MAX);
    assert_int_equal(position_apply(&p, highest + 1), APPLY_NEW); // neither
    assert_int_equal(position_apply(&p, 1), APPLY_NEW);
    assert_int_equal(position_apply(&p, 3), APPLY_NEW);
    assert_int_equal(position_apply(&p, 2), APPLY_NEW); // closes one
    assert_int_equal(position_apply(&p, highest + 3), APPLY_NEW);
    position_clear(&p);
}

static void stored_ranges_are_taken_only_if_they_keep_the_invariant(void **state)
{
    (void)state;
    static const struct {
        struct range range;
        bool taken;
    } table[] = {
        {{0, 1}, false},    // 0 is no sequence
        {{3, 2}, false},    // backwards
        {{2, 4}, true},     //
        {{2, 4}, false},    // twice
        {{5, 6}, false},    // touches
        {{6, 6}, true},     //
        {{90, 100}, false}, // the highest is never missing
        {{8, 99}, true},    //
    };
    struct position p = {.highest = 100};
    for (size_t i = 0; i < COUNT_OF(table); i++)
        EXPECT(position_range_add(&p, table[i].range) == table[i].taken, "row %zu", i);
    assert_int_equal(position_missing(&p), 3 + 1 + 92);
    position_clear(&p);
}

// --- against the model ---

#define EVENTS        1000000
#define MODEL_LIMIT   (4 * EVENTS)
#define MOOD_EVENTS   5000 // a history changes its character now and then
#define COMPARE_EVERY 20000

// Percent of events that skip some, arrive late or twice, and that begin a redelivery.
struct mood {
    int64_t skip, old, restart;
};
static const struct mood moods[] = {
    {0, 0, 0},  // all is well
    {1, 1, 1},  // now and then
    {60, 5, 0}, // holes, up to the limit
    {5, 90, 0}, // repairs
    {0, 10, 3}, // restarts
};

struct history {
    uint64_t random;
    int64_t next; // what an orderly producer would send
    const struct mood *mood;
};

static int64_t next_sequence(struct history *h, const struct position *p)
{
    const struct mood *mood = h->mood;
    if (random_percent(&h->random, mood->old) && p->missing_count > 0) { // in or near a hole
        const struct range *hole = &p->missing[random_below(&h->random, (int64_t)p->missing_count)];
        return hole->first + random_below(&h->random, hole->last - hole->first + 2);
    }
    if (random_percent(&h->random, mood->old))
        return 1 + random_below(&h->random, p->highest + 1);
    if (random_percent(&h->random, mood->restart) && h->next > 1)
        h->next -= random_below(&h->random, h->next < 40 ? h->next : 40);
    if (random_percent(&h->random, mood->skip))
        h->next += 1 + random_below(&h->random, 5);
    return h->next++;
}

static void check_event(struct position *p, struct model *m, int64_t sequence, int64_t i)
{
    const bool had = position_has(p, sequence);
    const enum apply_verdict verdict = position_apply(p, sequence);
    EXPECT(had == (verdict == APPLY_DUPLICATE) &&
               position_has(p, sequence) == (verdict != APPLY_REFUSED),
           "seed %" PRIu64 ", event %lld, sequence %lld: %s, but it was had: %d", seed,
           (long long)i, (long long)sequence, verdict_name(verdict), had);
    const enum apply_verdict wanted = model_apply(m, sequence, 0);
    EXPECT(verdict == wanted && p->highest == m->highest && p->missing_count == m->holes,
           "seed %" PRIu64 ", event %lld, sequence %lld: %s, wanted %s; highest %lld, wanted %lld; "
           "%zu ranges, wanted %zu",
           seed, (long long)i, (long long)sequence, verdict_name(verdict), verdict_name(wanted),
           (long long)p->highest, (long long)m->highest, p->missing_count, m->holes);
}

static void a_million_random_events_agree_with_the_model(void **state)
{
    (void)state;
    struct position p = {0};
    struct model m = model_create(MODEL_LIMIT);
    struct history h = {.random = seed, .next = 1};
    size_t ranges_max = 0;
    for (int64_t i = 0; i < EVENTS; i++) {
        if (i % MOOD_EVENTS == 0) {
            h.mood = &moods[random_below(&h.random, COUNT_OF(moods))];
            h.next = p.highest + 1; // else all would be refused once one was
        }
        check_event(&p, &m, next_sequence(&h, &p), i);
        ranges_max = p.missing_count > ranges_max ? p.missing_count : ranges_max;
        if (i % COMPARE_EVERY == 0)
            model_check_ranges(&m, p.missing, p.missing_count);
    }
    model_check_ranges(&m, p.missing, p.missing_count);
    assert_int_equal(position_missing(&p), m.highest - m.count);
    printf("# %lld new, %lld duplicates, %lld refused, at most %zu ranges\n", (long long)m.count,
           (long long)m.duplicates, (long long)(EVENTS - m.count - m.duplicates), ranges_max);
    free(m.seen);
    position_clear(&p);
}

int main(int argc, char **argv)
{
    seed = random_seed(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sequence_counts_once_whatever_the_order),
        cmocka_unit_test(a_range_shrinks_from_both_ends_and_splits_in_the_middle),
        cmocka_unit_test(the_largest_sequence_is_a_sequence),
        cmocka_unit_test(one_hole_too_many_is_refused_until_another_closes),
        cmocka_unit_test(stored_ranges_are_taken_only_if_they_keep_the_invariant),
        cmocka_unit_test(a_million_random_events_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
