// SPDX-License-Identifier: Apache-2.0
// The outbox's file: its two tables and every SQL statement on them. What it means (batches, what
// readers may see, recovery) is outbox.c's business. One thread at a time.
//
//   source   one row: who we are, and count and sum of all rows ever appended (I3)
//   outbox   a row an add, from the oldest kept to `appended`, without holes (I1)
#ifndef ABACUS_ADDER_OUTBOX_TABLE_H
#define ABACUS_ADDER_OUTBOX_TABLE_H

#include "adder/outbox.h"
#include "store/sqlite.h"

struct outbox_table {
    struct store store;
    sqlite3_stmt *begin, *commit, *rollback;
    sqlite3_stmt *insert, *insert_once, *find;
    sqlite3_stmt *source, *ends, *accepted, *first_young, *free_pages;
    sqlite3_stmt *counts_set, *partition_set, *touch, *remove;
};

struct outbox_source {
    struct uuid id;
    int32_t partition; // -1: not chosen yet
    int64_t appended, published;
    __int128 sum;
    int64_t first; // the oldest row kept; appended + 1: none
};

// Errors as those of store_open (store/sqlite.h).
MUST_USE bool outbox_table_open(struct outbox_table *table, const char *path, struct err *err);
// As store_backup (store/sqlite.h).
MUST_USE bool outbox_table_backup(const char *path, int fd, struct err *err);
void outbox_table_close(struct outbox_table *table);

// ERR_CORRUPT: the rows are not what the source says.
MUST_USE bool outbox_table_source(struct outbox_table *table, struct outbox_source *out,
                                  struct err *err);

// --- a transaction: any failure but that of commit leaves it open; rollback may always be called
MUST_USE bool outbox_table_begin(struct outbox_table *table, struct err *err);
// ERR_UNAVAILABLE: nothing was written. ERR_UNKNOWN: it may have been.
MUST_USE bool outbox_table_commit(struct outbox_table *table, struct err *err);
MUST_USE bool outbox_table_rollback(struct outbox_table *table, struct err *err);

// Inserts the add as row `sequence`, or (*inserted: false) finds its request id taken.
MUST_USE bool outbox_table_insert(struct outbox_table *table, int64_t sequence,
                                  const struct add *add, bool *inserted, struct err *err);
// Sets outcome and sequence of an add whose request id is taken (AIP-155).
MUST_USE bool outbox_table_find(struct outbox_table *table, struct add *add, struct err *err);

// Writes appended, published and sum.
MUST_USE bool outbox_table_counts_set(struct outbox_table *table,
                                      const struct outbox_source *source, struct err *err);
MUST_USE bool outbox_table_partition_set(struct outbox_table *table, int32_t partition,
                                         struct err *err);
// Changes nothing, but makes the commit write to the disk: a way to learn whether it works.
MUST_USE bool outbox_table_touch(struct outbox_table *table, struct err *err);
// Removes all rows up to `last`.
MUST_USE bool outbox_table_remove(struct outbox_table *table, int64_t last, struct err *err);

// --- questions ---
// When the row was accepted; 0: it is not there, or its time is none.
MUST_USE bool outbox_table_accepted(struct outbox_table *table, int64_t sequence,
                                    int64_t *accepted_unix_us, struct err *err);
// Bytes of the file that new rows can take before it grows.
MUST_USE bool outbox_table_free(struct outbox_table *table, int64_t *bytes, struct err *err);
// Of rows from..to the first that was accepted at cutoff or later; to + 1: none.
struct outbox_span {
    int64_t from, to;
};
MUST_USE bool outbox_table_first_young(struct outbox_table *table, struct outbox_span span,
                                       int64_t cutoff_unix_us, int64_t *sequence, struct err *err);

#endif
