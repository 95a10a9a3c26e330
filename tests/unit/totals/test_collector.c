// SPDX-License-Identifier: Apache-2.0
// What a scrape says of the ledger, read back from the page.
#include "totals/collector.h"

#include "ledger_rig.h"

#include <inttypes.h>
#include <string.h>

static void put_ledger(struct metrics_scrape *scrape, void *ctx)
{
    const struct rig *rig = ctx;
    collector_put_ledger(scrape, rig->ledger);
}

// Owned.
static char *scrape(struct rig *rig)
{
    struct bytes page = {0};
    metrics_collect(put_ledger, rig);
    metrics_expose(&page, METRICS_TEXT);
    metrics_collect_end(rig);
    char *text = xasprintf("%.*s", (int)page.length, (const char *)page.data);
    bytes_clear(&page);
    return text;
}

struct series {
    size_t count;
    int64_t sum, other; // other: of the series of that name, -1: none
};

static struct series series_of(const char *page, const char *name)
{
    struct series found = {.other = -1};
    char *begin = xasprintf("\n%s{source=\"", name);
    for (const char *at = page; (at = strstr(at, begin)) != NULL;) {
        at += strlen(begin);
        const int64_t value = strtoll(strchr(at, ' '), NULL, 10);
        found.count++;
        found.sum += value;
        if (strncmp(at, COLLECTOR_OTHER, strlen(COLLECTOR_OTHER)) == 0)
            found.other = value;
    }
    free(begin);
    return found;
}

// Sequences 1 and 3 of each source, and 3 again: of each, 2 are applied, 1 missing, 1 duplicate.
static void fill(struct rig *rig, int sources)
{
    int64_t offset = 0;
    for (int i = 1; i <= sources; i++) {
        struct ledger_entry entries[] = {rig_event(0, offset, i, 1, 1),
                                         rig_event(0, offset + 1, i, 3, 1),
                                         rig_event(0, offset + 2, i, 3, 1)};
        offset += 3;
        rig_commit(rig, entries, COUNT_OF(entries));
    }
}

static void expect_series(const char *page, const char *name, struct series want)
{
    const struct series got = series_of(page, name);
    EXPECT(got.count == want.count && got.sum == want.sum && got.other == want.other,
           "%s: %zu series, sum %" PRId64 ", other %" PRId64 "; want %zu, %" PRId64 ", %" PRId64,
           name, got.count, got.sum, got.other, want.count, want.sum, want.other);
}

static void each_source_has_a_series_of_its_own(void **state)
{
    struct rig *rig = *state;
    fill(rig, 3);
    char *page = scrape(rig);
    expect_series(page, "abacus_ledger_applied_total", (struct series){3, 6, -1});
    expect_series(page, "abacus_ledger_highest_sequence", (struct series){3, 9, -1});
    expect_series(page, "abacus_ledger_duplicates_total", (struct series){3, 3, -1});
    expect_series(page, "abacus_ledger_missing_events", (struct series){3, 3, -1});
    EXPECT(strstr(page, "\nabacus_ledger_sources 3\n") != NULL, "not 3 sources: %s", page);
    free(page);
}

static void sources_beyond_the_limit_are_summed_up(void **state)
{
    struct rig *rig = *state;
    const int more = 40, all = COLLECTOR_SOURCES_MAX + more;
    fill(rig, all);
    char *page = scrape(rig);
    const size_t count = COLLECTOR_SOURCES_MAX + 1;
    expect_series(page, "abacus_ledger_applied_total", (struct series){count, 2 * all, 2 * more});
    expect_series(page, "abacus_ledger_highest_sequence",
                  (struct series){count, 3 * all, 3 * more});
    expect_series(page, "abacus_ledger_duplicates_total", (struct series){count, all, more});
    expect_series(page, "abacus_ledger_missing_events", (struct series){count, all, more});
    EXPECT(strstr(page, "\nabacus_ledger_sources 140\n") != NULL, "not 140 sources: %s", page);
    free(page);
}

// Whoever can write to the topic can claim any sequence; what is missing then is more than a number
// holds, and less than nothing must not come of it.
static void sequences_that_nobody_can_have_reached_leave_sane_numbers(void **state)
{
    struct rig *rig = *state;
    const int more = 2, all = COLLECTOR_SOURCES_MAX + more;
    for (int i = 1; i <= all; i++) {
        struct ledger_entry entry = rig_event(0, i, i, 1, 1);
        if (i <= COLLECTOR_SOURCES_MAX)
            entry.event.sequence = INT64_MAX;
        rig_commit(rig, &entry, 1);
    }
    char *page = scrape(rig);
    static const char *const wanted[] = {
        "\nabacus_ledger_applied_total{source=\"other\"} 2\n",
        "\nabacus_ledger_highest_sequence{source=\"other\"} 2\n",
        "\nabacus_ledger_missing_events{source=\"other\"} 0\n",
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        EXPECT(strstr(page, wanted[i]) != NULL, "no \"%s\" in %s", wanted[i] + 1, page);
    free(page);
}

static void dead_letters_are_counted_by_partition(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry entries[] = {rig_dead_letter(0, 0), rig_dead_letter(7, 0),
                                     rig_dead_letter(7, 1)};
    rig_commit(rig, entries, COUNT_OF(entries));
    char *page = scrape(rig);
    EXPECT(strstr(page, "\nabacus_ledger_dead_letters_total{partition=\"0\"} 1\n") != NULL &&
               strstr(page, "\nabacus_ledger_dead_letters_total{partition=\"7\"} 2\n") != NULL,
           "not 1 and 2 dead letters: %s", page);
    free(page);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_source_has_a_series_of_its_own),
        TEST(sources_beyond_the_limit_are_summed_up),
        TEST(sequences_that_nobody_can_have_reached_leave_sane_numbers),
        TEST(dead_letters_are_counted_by_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
