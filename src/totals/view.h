// SPDX-License-Identifier: Apache-2.0
// What readers see: a copy of the committed state under a mutex that is held while something is
// copied (the list of all sources is the longest), never during I/O.
// put, replace, restore, committed: the consumer; read_*: any thread.
#ifndef ABACUS_TOTALS_VIEW_H
#define ABACUS_TOTALS_VIEW_H

#include "base/base.h"
#include "totals/ledger.h"
#include "totals/state.h"

struct view;

struct view *view_create(void);
void view_destroy(struct view *v);

// After a commit: takes over what of the state was touched; then nothing is.
void view_put(struct view *v, struct state *state);
// After loading: the same, and forgets all else.
void view_replace(struct view *v, struct state *state);
// After a rollback: what of the state was touched becomes again as it is here; then nothing is.
void view_restore(const struct view *v, struct state *state);

// Borrowed. Only the consumer changes the view, so to read it, the consumer needs no lock.
const struct state *view_committed(const struct view *v);

// As their namesakes in ledger.h.
void view_read_total(struct view *v, struct ledger_total *out);
size_t view_read_sources(struct view *v, struct ledger_source **list);
bool view_read_source(struct view *v, const struct uuid *source, struct ledger_source **one);
size_t view_read_counts(struct view *v, struct ledger_count *out, size_t max,
                        struct ledger_total *total);
size_t view_read_partitions(struct view *v, struct ledger_partition **list);

#endif
