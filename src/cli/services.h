// SPDX-License-Identifier: Apache-2.0
// What the services say of themselves: an adder's GET /source, and totals' GET /v1/total,
// /v1/sources, /v1/partitions. Integers of 64 and more bits are decimal strings there.
// Every read blocks up to timeout_ms. ERR_INVALID: the answer lacks a field; else as http_get.h.
#ifndef ABACUS_CLI_SERVICES_H
#define ABACUS_CLI_SERVICES_H

#include "base/base.h"
#include "base/err.h"
#include "base/uuid.h"

#include <jansson.h>

#define ADDER_ADMIN_DEFAULT "http://127.0.0.1:9464"
#define TOTALS_DEFAULT      "http://127.0.0.1:8080"

// One outbox, as its adder knows it.
struct adder_source {
    struct uuid source;
    int64_t count; // sums committed; the highest sequence too
    __int128 sum;
    int64_t published; // all up to here is in Kafka
    int32_t partition; // -1: not chosen yet
};
MUST_USE bool adder_source_read(struct adder_source *out, const char *admin, int64_t timeout_ms,
                                struct err *err);

struct total {
    __int128 sum;
    int64_t count;
};
MUST_USE bool total_parse(struct total *out, const json_t *document, struct err *err);
MUST_USE bool total_read(struct total *out, const char *totals, int64_t timeout_ms,
                         struct err *err);

// The same source, as the ledger knows it.
struct ledger_view {
    struct uuid source;
    int64_t count, highest, missing_events;
    __int128 sum;
    char *missing; // the missing ranges as text, "2-3, 7", cut when long; owned
};
struct ledger_views {
    struct ledger_view *items; // owned
    size_t count;
};
MUST_USE bool ledger_views_read(struct ledger_views *out, const char *totals, int64_t timeout_ms,
                                struct err *err);
void ledger_views_clear(struct ledger_views *views);
const struct ledger_view *ledger_views_find(const struct ledger_views *views,
                                            const struct uuid *source);

// How far behind Kafka's end the ledger is, by partition.
#define LAG_UNKNOWN (-1)
struct partition_lag {
    int64_t lag;           // LAG_UNKNOWN: nobody reads it
    int64_t heard_mono_ns; // Kafka told totals of its end then, or later
};
struct partition_lags {
    struct partition_lag *items; // by partition number; owned
    size_t count;
};
MUST_USE bool partition_lags_read(struct partition_lags *out, const char *totals,
                                  int64_t timeout_ms, struct err *err);
void partition_lags_clear(struct partition_lags *lags);
// since_mono_ns: a lag of 0 counts only if Kafka told of its end since then; what is in Kafka by
// that time is then in the ledger, or was not there to be read.
// LAG_UNKNOWN: the partition is not in the list, nobody reads it, or Kafka's word is older.
int64_t partition_lag(const struct partition_lags *lags, int32_t partition, int64_t since_mono_ns);
// Of all partitions that this totals reads; LAG_UNKNOWN: it reads none, or of one as above.
int64_t partition_lag_all(const struct partition_lags *lags, int64_t since_mono_ns);

#endif
