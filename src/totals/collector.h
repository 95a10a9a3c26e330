// SPDX-License-Identifier: Apache-2.0
// What a scrape reads of totals: the ledger by source and partition, its file, the consumer's lag,
// the streams. All of it is counted elsewhere already. Runs on the scraper's thread beside the
// consumer, which it keeps waiting for no longer than a few hundred numbers take to copy.
#ifndef ABACUS_TOTALS_COLLECTOR_H
#define ABACUS_TOTALS_COLLECTOR_H

#include "telemetry/metrics.h"
#include "totals/consumer.h"
#include "totals/stream.h"

// A source more is a series more in each of four metrics, for ever: further ones are summed up
// under this name. An adder has one source, so few services ever come so far.
#define COLLECTOR_SOURCES_MAX 100
#define COLLECTOR_OTHER       "other"

struct collector { // all borrowed
    struct ledger *ledger;
    const char *ledger_path;
    struct consumer *consumer;
    struct stream_hub *streams;
};

// For metrics_collect; ctx is a struct collector.
void collector_run(struct metrics_scrape *scrape, void *ctx);

// The parts, for tests.
void collector_put_ledger(struct metrics_scrape *scrape, struct ledger *ledger);

#endif
