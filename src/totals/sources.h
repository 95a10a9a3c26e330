// SPDX-License-Identifier: Apache-2.0
// What is known of each source: a hash table from the source's id to its position and subtotals,
// and the list of those that changed since the list was last emptied. Pure memory.
// One thread at a time.
#ifndef ABACUS_TOTALS_SOURCES_H
#define ABACUS_TOTALS_SOURCES_H

#include "base/base.h"
#include "base/uuid.h"
#include "event/event.h"
#include "totals/apply.h"

struct source {
    struct uuid id;
    int32_t partition; // where its last event came from
    int64_t count, duplicates;
    __int128 sum;                              // of the count events
    int64_t applied_unix_us, accepted_unix_us; // of its latest new event
    struct position position;
    // the table's
    bool touched;
    bool ranges_changed; // since it was touched; holds until it is touched anew
    size_t index;
    struct source *next_in_bucket, *next_touched;
};

struct sources;

// limit: how many sources there may be.
struct sources *sources_create(size_t limit);
void sources_destroy(struct sources *s);

size_t sources_count(const struct sources *s);
// In no particular order; index: below the count. Adding and removing change the order.
struct source *sources_at(const struct sources *s, size_t index);
// NULL: not there. Borrowed until it is removed.
struct source *sources_find(const struct sources *s, const struct uuid *id);
// Finds it, or adds one that has seen nothing. NULL: the limit is reached.
struct source *sources_add(struct sources *s, const struct uuid *id);
void sources_remove(struct sources *s, struct source *source); // not while it is touched

// Makes `to` equal to `from` but for what is the table's; ids must be equal.
void source_copy(struct source *to, const struct source *from, bool with_ranges);

// Counts an event, or drops it as a duplicate, or refuses it. Marks the source as touched unless
// nothing of it changed.
enum apply_verdict sources_apply(struct sources *s, struct source *source,
                                 const struct event *event, int32_t partition, int64_t now_unix_us);

// The touched ones, linked by next_touched, newest first; NULL: none.
struct source *sources_touched(const struct sources *s);
void sources_touch(struct sources *s, struct source *source);
// Takes the first one off the list; NULL: none is left.
struct source *sources_touched_take(struct sources *s);

#endif
