// SPDX-License-Identifier: Apache-2.0
// What the tests of the ledger share: a file of their own, short ways to write batches, and a way
// to change the file behind the ledger's back.
#ifndef ABACUS_TESTS_LEDGER_RIG_H
#define ABACUS_TESTS_LEDGER_RIG_H

#include "scratch.h"

#include "totals/ledger.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct rig {
    char *folder, *path;
    struct ledger *ledger;
};

static inline void rig_open(struct rig *rig)
{
    struct err err = {.text = ""};
    EXPECT(ledger_open(&rig->ledger, rig->path, &err), "%s", err.text);
}

static inline void rig_reopen(struct rig *rig)
{
    ledger_close(rig->ledger);
    rig_open(rig);
}

static inline int rig_set_up(void **state)
{
    static struct rig rig;
    rig.folder = scratch_create();
    rig.path = xasprintf("%s/ledger.db", rig.folder);
    rig_open(&rig);
    *state = &rig;
    return 0;
}

static inline int rig_tear_down(void **state)
{
    struct rig *rig = *state;
    ledger_close(rig->ledger);
    free(rig->path);
    scratch_remove(rig->folder);
    return 0;
}

static inline struct uuid rig_source(int number)
{
    struct uuid id;
    snprintf(id.text, sizeof(id.text), "%08x-0000-4000-8000-000000000000", (unsigned)number);
    return id;
}

static inline struct ledger_entry rig_event(int32_t partition, int64_t offset, int source,
                                            int64_t sequence, int64_t sum)
{
    return (struct ledger_entry){.partition = partition,
                                 .offset = offset,
                                 .event = {.source = rig_source(source),
                                           .sequence = sequence,
                                           .a = sum,
                                           .sum = sum,
                                           .accepted_unix_us = 1000 * sequence}};
}

static inline struct ledger_entry rig_dead_letter(int32_t partition, int64_t offset)
{
    return (struct ledger_entry){.partition = partition, .offset = offset, .dead_letter = true};
}

static inline void rig_stage(struct rig *rig, struct ledger_entry *entries, size_t n)
{
    struct err err = {.text = ""};
    EXPECT(ledger_stage(rig->ledger, entries, n, &err), "%s", err.text);
}

static inline void rig_commit(struct rig *rig, struct ledger_entry *entries, size_t n)
{
    struct err err = {.text = ""};
    rig_stage(rig, entries, n);
    EXPECT(ledger_commit(rig->ledger, &err), "%s", err.text);
}

static inline void rig_commit_one(struct rig *rig, struct ledger_entry entry)
{
    rig_commit(rig, &entry, 1);
}

static inline int64_t rig_offset(struct rig *rig, int32_t partition)
{
    struct err err = {.text = ""};
    int64_t offset = 0;
    EXPECT(ledger_offset(rig->ledger, partition, &offset, &err), "%s", err.text);
    return offset;
}

static inline struct ledger_total rig_total(struct rig *rig)
{
    struct ledger_total total;
    ledger_total(rig->ledger, &total);
    return total;
}

// For ledger_on_change; ctx: an int.
static inline void rig_count_changes(void *ctx)
{
    ++*(int *)ctx;
}

// Another process, if it ignored the claim.
static inline void rig_alter(const struct rig *rig, const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    assert_int_equal(sqlite3_open(rig->path, &db), SQLITE_OK);
    EXPECT(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

// Everything readers can see, as text; owned by the caller. Equal states have equal texts.
static inline char *rig_describe(struct rig *rig)
{
    const struct ledger_total t = rig_total(rig);
    struct ledger_source *sources;
    struct ledger_partition *partitions;
    const size_t sources_count = ledger_sources(rig->ledger, &sources);
    const size_t partitions_count = ledger_partitions(rig->ledger, &partitions);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    fprintf(out, "ledger %s version %lld count %lld sum %lld sources %lld missing %lld ",
            t.ledger.text, (long long)t.version, (long long)t.count, (long long)t.sum,
            (long long)t.sources, (long long)t.missing);
    fprintf(out, "duplicates %lld dead %lld\n", (long long)t.duplicates, (long long)t.dead_letters);
    for (size_t i = 0; i < sources_count; i++) {
        const struct ledger_source *s = &sources[i];
        fprintf(out,
                "%s partition %d highest %lld count %lld duplicates %lld sum %lld at %lld %lld:",
                s->source.text, s->partition, (long long)s->highest, (long long)s->count,
                (long long)s->duplicates, (long long)s->sum, (long long)s->applied_unix_us,
                (long long)s->accepted_unix_us);
        for (size_t j = 0; j < s->missing_count; j++)
            fprintf(out, " %lld-%lld", (long long)s->missing[j].first,
                    (long long)s->missing[j].last);
        fprintf(out, "\n");
    }
    for (size_t i = 0; i < partitions_count; i++)
        fprintf(out, "partition %d next %lld dead %lld\n", partitions[i].partition,
                (long long)partitions[i].next_offset, (long long)partitions[i].dead_letters);
    fclose(out);
    ledger_sources_free(sources, sources_count);
    free(partitions);
    return text;
}

// The state is as it was described before.
static inline void rig_check_same(struct rig *rig, const char *before)
{
    char *now = rig_describe(rig);
    assert_string_equal(now, before);
    free(now);
}

#endif
