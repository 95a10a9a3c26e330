// SPDX-License-Identifier: Apache-2.0
#include "store/observe.h"

#include "store/usage.h"

void store_files_put(struct metrics_scrape *scrape, const char *store, const char *path)
{
    struct store_usage usage;
    if (!store_usage(path, &usage))
        return;
    METRIC_PUT(scrape, METRIC_STORE_FILE, usage.file_bytes, store);
    METRIC_PUT(scrape, METRIC_STORE_WAL, usage.wal_bytes, store);
    METRIC_PUT(scrape, METRIC_STORE_DISK_FREE, usage.disk_free_bytes, store);
    METRIC_PUT(scrape, METRIC_STORE_DISK_SIZE, usage.disk_size_bytes, store);
}

void store_span_describe(struct span *span, const struct store_transaction *transaction)
{
    span_text(span, "db.system.name", "sqlite");
    span_text(span, "db.collection.name", transaction->table);
    span_text(span, "db.operation.name", transaction->operation);
    span_text(span, "db.query.summary", span->name);
    if (transaction->batch >= 2)
        span_number(span, "db.operation.batch.size", (int64_t)transaction->batch);
    if (transaction->err != NULL) {
        span_text(span, "error.type", err_name(transaction->err->code));
        span->error = transaction->err->text;
    }
}
