// SPDX-License-Identifier: Apache-2.0
// What is seen of a store from outside, the same for outbox and ledger: the metrics of its files,
// and the span of a transaction as OpenTelemetry's semantic conventions 1.44 describe it.
#ifndef ABACUS_STORE_OBSERVE_H
#define ABACUS_STORE_OBSERVE_H

#include "base/err.h"
#include "telemetry/metrics.h"
#include "telemetry/trace.h"

// store: "outbox" or "ledger". Nothing is put when nobody can say. For a collector.
void store_files_put(struct metrics_scrape *scrape, const char *store, const char *path);

struct store_transaction {
    const char *table, *operation; // static: "outbox", "INSERT"
    size_t batch;                  // rows or events in it
    const struct err *err;         // why it failed, borrowed as long as the span; NULL: it did not
};
// span->name is "INSERT outbox", which is also the summary.
void store_span_describe(struct span *span, const struct store_transaction *transaction);

#endif
