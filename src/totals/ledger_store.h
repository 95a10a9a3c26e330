// SPDX-License-Identifier: Apache-2.0
// The ledger's file: loads a state from it, and writes what of a state was touched. All SQL of the
// ledger is in ledger_store.c. One thread at a time; everything may block on the disk.
#ifndef ABACUS_TOTALS_LEDGER_STORE_H
#define ABACUS_TOTALS_LEDGER_STORE_H

#include "base/base.h"
#include "base/err.h"
#include "totals/state.h"

struct ledger_store;

// Errors as those of store_open (store/sqlite.h). *out: owned, end with ledger_store_close.
MUST_USE bool ledger_store_open(struct ledger_store **out, const char *path, struct err *err);
// As store_backup (store/sqlite.h).
MUST_USE bool ledger_store_backup(const char *path, int fd, struct err *err);
void ledger_store_close(struct ledger_store *s); // rolls back what is open

// Fills an empty state with what is committed; every source and partition counts as touched.
// ERR_CORRUPT: what is stored contradicts itself.
MUST_USE bool ledger_store_load(struct ledger_store *s, struct state *state, struct err *err);
// STATE_OFFSET_NONE: nothing of this partition was ever committed.
MUST_USE bool ledger_store_offset(struct ledger_store *s, int32_t partition, int64_t *offset,
                                  struct err *err);

MUST_USE bool ledger_store_begin(struct ledger_store *s, struct err *err);
// Writes the touched sources and partitions and moves the version on by one. committed: the state
// before. ERR_CONFLICT: a partition's seen offset, or the version, is not that of the file.
MUST_USE bool ledger_store_write(struct ledger_store *s, const struct state *state,
                                 const struct state *committed, struct err *err);
// False: the transaction has ended all the same; whether it is in the file only loading can tell.
MUST_USE bool ledger_store_commit(struct ledger_store *s, struct err *err);
void ledger_store_rollback(struct ledger_store *s);

#endif
