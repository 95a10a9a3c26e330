// SPDX-License-Identifier: Apache-2.0
#include "cli/verdict.h"

#include "cli/cli.h"

#include "unit.h"

#include <string.h>

static const struct {
    const char *what;
    int64_t published, lag, count, sum;           // the adder's side, and the lag
    int64_t in_ledger, highest, missing, counted; // the ledger's; in_ledger: it knows the source
    enum verdict verdict;
    const char *text; // part of what is said
} table[] = {
    {"nothing anywhere", 0, LAG_UNKNOWN, 0, 0, false, 0, 0, 0, VERDICT_EQUAL, "0 events, sum 0"},
    {"all there", 9, 0, 9, 45, true, 9, 0, 45, VERDICT_EQUAL, "9 events, sum 45"},
    {"all there, lag of others", 9, 5, 9, 45, true, 9, 0, 45, VERDICT_EQUAL, "9 events"},
    {"all there, unpublished news read late", 7, 0, 9, 45, true, 9, 0, 45, VERDICT_EQUAL, "9"},
    {"kafka is away", 4, 0, 9, 45, true, 4, 0, 10, VERDICT_ON_THE_WAY, "5 not in Kafka"},
    {"kafka is away, nothing counted", 0, 0, 9, 45, false, 0, 0, 0, VERDICT_ON_THE_WAY, "9 not in"},
    {"totals are behind", 9, 3, 9, 45, true, 6, 0, 21, VERDICT_ON_THE_WAY, "lag 3"},
    {"nobody reads", 9, LAG_UNKNOWN, 9, 45, true, 6, 0, 21, VERDICT_ON_THE_WAY, "do not know"},
    {"missing with lag", 9, 1, 9, 45, true, 9, 2, 30, VERDICT_ON_THE_WAY, "2 events to come"},
    {"missing without lag", 9, 0, 9, 45, true, 9, 2, 30, VERDICT_LOST, "2 of 9 events: 2-3"},
    {"the tail is gone", 9, 0, 9, 45, true, 6, 0, 21, VERDICT_LOST, "3 of 9 events: all above 6"},
    {"holes and tail", 9, 0, 9, 45, true, 6, 2, 9, VERDICT_LOST, "5 of 9 events: 2-3, and all"},
    {"all is gone", 9, 0, 9, 45, false, 0, 0, 0, VERDICT_LOST, "9 of 9 events: all above 0"},
    {"one more than committed", 9, 0, 9, 45, true, 10, 0, 55, VERDICT_EXCESS, "only 9 were"},
    {"above the committed, with a hole", 9, 0, 9, 45, true, 10, 1, 45, VERDICT_EXCESS, "only 9"},
    {"another sum", 9, 0, 9, 45, true, 9, 0, 46, VERDICT_DIFFERENT, "sum 45 committed, 46"},
    {"the ledger cannot add", 9, 0, 9, 45, true, 9, -1, 45, VERDICT_DIFFERENT, "contradicts"},
};

static void each_reading_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char missing[] = "2-3";
        const struct ledger_view ledger = {
            // doubling without a sequence of its own is what "cannot add" plants
            .count =
                table[i].missing < 0 ? table[i].highest + 2 : table[i].highest - table[i].missing,
            .highest = table[i].highest,
            .missing_events = table[i].missing,
            .sum = table[i].counted,
            .missing = missing,
        };
        const struct verdict_input input = {
            .published = table[i].published,
            .lag = table[i].lag,
            .ledger = table[i].in_ledger ? &ledger : NULL,
            .count = table[i].count,
            .sum = table[i].sum,
        };
        const struct verdict_result got = verdict_judge(&input);
        EXPECT(got.verdict == table[i].verdict, "%s: got \"%s\" (%s), want \"%s\"", table[i].what,
               verdict_name(got.verdict), got.text, verdict_name(table[i].verdict));
        EXPECT(strstr(got.text, table[i].text) != NULL, "%s: \"%s\" does not say \"%s\"",
               table[i].what, got.text, table[i].text);
    }
}

static void the_worst_of_all_decides_the_exit_code(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t count;
        enum verdict verdicts[3];
        int code;
    } cases[] = {
        {"nobody was asked", 0, {0}, CLI_UNKNOWN},
        {"all equal", 2, {VERDICT_EQUAL, VERDICT_EQUAL}, CLI_OK},
        {"an adder is silent", 2, {VERDICT_EQUAL, VERDICT_UNKNOWN}, CLI_UNKNOWN},
        {"one is on the way", 2, {VERDICT_ON_THE_WAY, VERDICT_EQUAL}, CLI_UNKNOWN},
        {"lost", 2, {VERDICT_EQUAL, VERDICT_LOST}, CLI_FAILED},
        {"counted twice", 1, {VERDICT_EXCESS}, CLI_FAILED},
        {"different", 1, {VERDICT_DIFFERENT}, CLI_FAILED},
        {"what is wrong stays wrong beside a silent adder",
         3,
         {VERDICT_UNKNOWN, VERDICT_LOST, VERDICT_EQUAL},
         CLI_FAILED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const int code = verdict_exit(cases[i].verdicts, cases[i].count);
        EXPECT(code == cases[i].code, "%s: got %d, want %d", cases[i].what, code, cases[i].code);
    }
}

static void only_too_much_is_final(void **state)
{
    (void)state;
    assert_true(verdict_final(VERDICT_EXCESS));
    assert_true(verdict_final(VERDICT_DIFFERENT));
    assert_false(verdict_final(VERDICT_LOST)); // a late event may still close it
    assert_false(verdict_final(VERDICT_EQUAL));
    assert_false(verdict_final(VERDICT_ON_THE_WAY));
    assert_false(verdict_final(VERDICT_UNKNOWN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reading_has_its_verdict),
        cmocka_unit_test(the_worst_of_all_decides_the_exit_code),
        cmocka_unit_test(only_too_much_is_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
