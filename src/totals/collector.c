// SPDX-License-Identifier: Apache-2.0
#include "totals/collector.h"

#include "base/int128.h"
#include "store/observe.h"

#include <stdlib.h>

// --- the ledger ---
static void put_source(struct metrics_scrape *scrape, const char *name,
                       const struct ledger_count *count)
{
    METRIC_PUT(scrape, METRIC_LEDGER_APPLIED, count->applied, name);
    METRIC_PUT(scrape, METRIC_LEDGER_HIGHEST, count->highest, name);
    METRIC_PUT(scrape, METRIC_LEDGER_DUPLICATES, count->duplicates, name);
    METRIC_PUT(scrape, METRIC_LEDGER_MISSING, count->highest - count->applied, name);
}

// What the total has beyond the sources that have series of their own. The total's missing stops at
// the largest number there is, so that what is left of it may be far too little.
static struct ledger_count rest_of(const struct ledger_total *total,
                                   const struct ledger_count *counts, size_t n)
{
    __int128 highest = (__int128)total->count + total->missing;
    struct ledger_count rest = {.applied = total->count, .duplicates = total->duplicates};
    for (size_t i = 0; i < n; i++) {
        rest.applied -= counts[i].applied;
        rest.duplicates -= counts[i].duplicates;
        highest -= counts[i].highest;
    }
    highest = highest < rest.applied ? rest.applied : highest;
    rest.highest = highest > INT64_MAX ? INT64_MAX : (int64_t)highest;
    return rest;
}

static void put_sources(struct metrics_scrape *scrape, struct ledger *ledger)
{
    struct ledger_count *counts = xmalloc(COLLECTOR_SOURCES_MAX * sizeof(*counts));
    struct ledger_total total;
    const size_t n = ledger_counts(ledger, counts, COLLECTOR_SOURCES_MAX, &total);
    METRIC_PUT(scrape, METRIC_LEDGER_SOURCES, total.sources);
    for (size_t i = 0; i < n; i++)
        put_source(scrape, counts[i].source.text, &counts[i]);
    if ((size_t)total.sources > n) {
        const struct ledger_count rest = rest_of(&total, counts, n);
        put_source(scrape, COLLECTOR_OTHER, &rest);
    }
    free(counts);
}

static void put_dead_letters(struct metrics_scrape *scrape, struct ledger *ledger)
{
    struct ledger_partition *list;
    const size_t n = ledger_partitions(ledger, &list);
    for (size_t i = 0; i < n; i++) {
        char partition[INT64_TEXT_BYTES];
        int64_format(partition, list[i].partition);
        METRIC_PUT(scrape, METRIC_LEDGER_DEAD_LETTERS, list[i].dead_letters, partition);
    }
    free(list);
}

void collector_put_ledger(struct metrics_scrape *scrape, struct ledger *ledger)
{
    put_sources(scrape, ledger);
    put_dead_letters(scrape, ledger);
}

// --- the consumer ---
static void put_lag(struct metrics_scrape *scrape, const struct consumer_partition *p)
{
    char partition[INT64_TEXT_BYTES];
    int64_format(partition, p->partition);
    if (p->settled_offset < 0 || p->end_offset < 0)
        return; // a gap says that nobody knows; 0 would say that all is well
    const int64_t events = p->end_offset - p->settled_offset;
    METRIC_PUT(scrape, METRIC_CONSUMER_LAG_EVENTS, events > 0 ? events : 0, partition);
    METRIC_PUT(scrape, METRIC_CONSUMER_LAG, p->lag_ns, partition);
}

static void put_partitions(struct metrics_scrape *scrape, struct consumer *consumer)
{
    struct consumer_partition *list;
    const size_t n = consumer_partitions(consumer, &list);
    METRIC_PUT(scrape, METRIC_CONSUMER_PARTITIONS, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        put_lag(scrape, &list[i]);
    free(list);
}

void collector_run(struct metrics_scrape *scrape, void *ctx)
{
    const struct collector *c = ctx;
    collector_put_ledger(scrape, c->ledger);
    store_files_put(scrape, "ledger", c->ledger_path);
    put_partitions(scrape, c->consumer);
    METRIC_PUT(scrape, METRIC_SSE_CLIENTS, (int64_t)stream_hub_count(c->streams));
}
