// SPDX-License-Identifier: Apache-2.0
#include "totals/ledger_store.h"

#include "store/sqlite.h"

#include <inttypes.h>
#include <stdlib.h>

// A random UUID (RFC 9562 §5.4) made by SQL, so that the file has its id from its first transaction
// on.
#define SQL_UUID                                                                 \
    "lower(printf('%s-%s-4%s-%s%s-%s', hex(randomblob(4)), hex(randomblob(2)), " \
    "substr(hex(randomblob(2)), 2), substr('89AB', 1 + (random() & 3), 1), "     \
    "substr(hex(randomblob(2)), 2), hex(randomblob(6))))"

// Synchronous stays FULL: one sync a batch. NORMAL would keep L2 as well, since power loss takes
// whole transactions off the end, offsets and all, and Kafka gives those events again. But the
// total would for a while be behind what readers were told, a version they hold would come to mean
// another state, and a Kafka that lost its newest events in the same power loss (it does not sync)
// could not give them again. Batches grow while a sync is under way, so it costs latency, not
// throughput.
static const struct store_format format = {
    .what = "ledger",
    .application_id = 0x41424c47, // "ABLG"
    .version = 1,
    .schema = "CREATE TABLE ledger ("
              " one INTEGER PRIMARY KEY CHECK (one = 1),"
              " id TEXT NOT NULL,"
              " version INTEGER NOT NULL) STRICT;"
              "CREATE TABLE source ("
              " source TEXT PRIMARY KEY,"
              " partition INTEGER NOT NULL,"
              " highest INTEGER NOT NULL,"
              " count INTEGER NOT NULL,"
              " sum BLOB NOT NULL," // 16 bytes, big-endian, two's complement
              " duplicates INTEGER NOT NULL,"
              " applied_unix_us INTEGER NOT NULL,"
              " accepted_unix_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
              "CREATE TABLE missing (" // the sequences first..last of a source
              " source TEXT NOT NULL,"
              " first INTEGER NOT NULL,"
              " last INTEGER NOT NULL,"
              " PRIMARY KEY (source, first)) STRICT, WITHOUT ROWID;"
              "CREATE TABLE partition ("
              " partition INTEGER PRIMARY KEY,"
              " next_offset INTEGER NOT NULL,"
              " dead_letters INTEGER NOT NULL) STRICT;"
              "INSERT INTO ledger VALUES (1, " SQL_UUID ", 0)",
};

// Both compare-and-sets change one row or none. The partition's says whether the consumer still
// owns it; the ledger's, whether the sources in memory are still those of the file.
#define STATEMENTS(X)                                                                    \
    X(BEGIN_READ, "BEGIN")                                                               \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                    \
    X(COMMIT, "COMMIT")                                                                  \
    X(ROLLBACK, "ROLLBACK")                                                              \
    X(LOAD_LEDGER, "SELECT id, version FROM ledger")                                     \
    X(LOAD_SOURCES, "SELECT source, partition, highest, count, sum, duplicates, "        \
                    "applied_unix_us, accepted_unix_us FROM source")                     \
    X(LOAD_MISSING, "SELECT source, first, last FROM missing ORDER BY source, first")    \
    X(LOAD_PARTITIONS, "SELECT partition, next_offset, dead_letters FROM partition")     \
    X(OFFSET, "SELECT next_offset FROM partition WHERE partition = ?1")                  \
    X(VERSION_MOVE, "UPDATE ledger SET version = ?1 WHERE version = ?2")                 \
    X(SOURCE_PUT, "REPLACE INTO source VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")         \
    X(MISSING_PUT, "REPLACE INTO missing VALUES (?1, ?2, ?3)")                           \
    X(MISSING_REMOVE, "DELETE FROM missing WHERE source = ?1 AND first = ?2")            \
    X(PARTITION_ADD, "INSERT INTO partition VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING") \
    X(PARTITION_MOVE, "UPDATE partition SET next_offset = ?2, dead_letters = ?3 "        \
                      "WHERE partition = ?1 AND next_offset = ?4")

enum statement {
#define STATEMENT_ENUM(name, sql) name,
    STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
};

static const char *const statement_sql[] = {
#define STATEMENT_SQL(name, sql) sql,
    STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

struct ledger_store {
    struct store store;
    sqlite3_stmt *statements[COUNT_OF(statement_sql)]; // owned
};

bool ledger_store_open(struct ledger_store **out, const char *path, struct err *err)
{
    struct ledger_store *s = xcalloc(1, sizeof(*s));
    if (!store_open(&s->store, path, &format, err)) {
        free(s);
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(statement_sql); i++)
        s->statements[i] = store_prepare(&s->store, statement_sql[i]);
    *out = s;
    return true;
}

bool ledger_store_backup(const char *path, int fd, struct err *err)
{
    return store_backup(path, &format, fd, err);
}

void ledger_store_close(struct ledger_store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(statement_sql); i++)
        sqlite3_finalize(s->statements[i]);
    store_close(&s->store);
    free(s);
}

// --- small helpers ---

static void bind_int(sqlite3_stmt *stmt, int index, int64_t value)
{
    CHECK_INT(sqlite3_bind_int64(stmt, index, value), ==, SQLITE_OK);
}

// The id must live until the statement has run.
static void bind_id(sqlite3_stmt *stmt, int index, const struct uuid *id)
{
    CHECK_INT(sqlite3_bind_text(stmt, index, id->text, UUID_LENGTH, SQLITE_STATIC), ==, SQLITE_OK);
}

static bool run(struct ledger_store *s, enum statement statement, struct err *err)
{
    return store_run(&s->store, s->statements[statement], err);
}

static bool changed_a_row(struct ledger_store *s)
{
    return sqlite3_changes(s->store.db) == 1;
}

static bool column_id(sqlite3_stmt *stmt, struct uuid *id)
{
    const char *text = (const char *)sqlite3_column_text(stmt, 0);
    return text != NULL && uuid_parse(text, (size_t)sqlite3_column_bytes(stmt, 0), id);
}

static bool corrupt(struct ledger_store *s, struct err *err, const char *what, const char *which)
{
    return err_set(err, ERR_CORRUPT, "%s: %s %s; restore it from a copy", s->store.path, what,
                   which);
}

// --- loading ---

typedef bool on_row(struct ledger_store *s, sqlite3_stmt *stmt, struct state *state,
                    struct err *err);

static bool for_each_row(struct ledger_store *s, enum statement statement, on_row fn,
                         struct state *state, struct err *err)
{
    sqlite3_stmt *stmt = s->statements[statement];
    bool row = true, ok = true;
    while (ok && row) {
        ok = store_row(&s->store, stmt, &row, err);
        if (ok && row)
            ok = fn(s, stmt, state, err);
    }
    sqlite3_reset(stmt);
    return ok;
}

static bool load_ledger(struct ledger_store *s, sqlite3_stmt *stmt, struct state *state,
                        struct err *err)
{
    if (!column_id(stmt, &state->id))
        return corrupt(s, err, "the ledger's id", "is no UUID");
    state->version = sqlite3_column_int64(stmt, 1);
    return true;
}

static bool load_source(struct ledger_store *s, sqlite3_stmt *stmt, struct state *state,
                        struct err *err)
{
    struct uuid id;
    if (!column_id(stmt, &id))
        return corrupt(s, err, "a source's id", "is no UUID");
    struct source *source = sources_add(state->sources, &id);
    if (source == NULL || source->touched) // touched: the id is there twice, in capitals
        return corrupt(s, err, "too many sources, from", id.text);
    sources_touch(state->sources, source);
    source->partition = sqlite3_column_int(stmt, 1);
    source->position.highest = sqlite3_column_int64(stmt, 2);
    source->count = sqlite3_column_int64(stmt, 3);
    source->duplicates = sqlite3_column_int64(stmt, 5);
    source->applied_unix_us = sqlite3_column_int64(stmt, 6);
    source->accepted_unix_us = sqlite3_column_int64(stmt, 7);
    if (!store_column_int128(stmt, 4, &source->sum))
        return corrupt(s, err, "no sum in source", id.text);
    return true;
}

static bool load_missing(struct ledger_store *s, sqlite3_stmt *stmt, struct state *state,
                         struct err *err)
{
    struct uuid id;
    struct source *source = column_id(stmt, &id) ? sources_find(state->sources, &id) : NULL;
    if (source == NULL)
        return corrupt(s, err, "a missing range", "of no known source");
    const struct range range = {.first = sqlite3_column_int64(stmt, 1),
                                .last = sqlite3_column_int64(stmt, 2)};
    source->ranges_changed = true;
    return position_range_add(&source->position, range) ||
           corrupt(s, err, "impossible missing ranges in source", id.text);
}

static bool load_partition(struct ledger_store *s, sqlite3_stmt *stmt, struct state *state,
                           struct err *err)
{
    struct partition *p = state_partition_add(state, sqlite3_column_int(stmt, 0));
    p->next_offset = p->seen_offset = sqlite3_column_int64(stmt, 1);
    p->dead_letters = sqlite3_column_int64(stmt, 2);
    p->touched = true;
    return (p->next_offset >= 0 && p->dead_letters >= 0) ||
           corrupt(s, err, "a negative number in", "a partition");
}

// L1, as far as the file can show it; the bounds keep all later sums from overflowing.
static bool source_is_sound(const struct source *source)
{
    const __int128 largest = source->count * -(__int128)INT64_MIN;
    return source->count >= 0 && source->duplicates >= 0 &&
           source->count == source->position.highest - position_missing(&source->position) &&
           source->sum <= largest && source->sum >= -largest;
}

static bool check_sources(struct ledger_store *s, const struct state *state, struct err *err)
{
    __int128 count = 0, duplicates = 0;
    for (size_t i = 0; i < sources_count(state->sources); i++) {
        const struct source *source = sources_at(state->sources, i);
        if (!source_is_sound(source))
            return corrupt(s, err, "count, sum and position disagree in source", source->id.text);
        count += source->count;
        duplicates += source->duplicates;
    }
    if (count > INT64_MAX / 2 || duplicates > INT64_MAX / 2)
        return corrupt(s, err, "impossible counts", "in all sources together");
    return true;
}

static bool load_rows(struct ledger_store *s, struct state *state, struct err *err)
{
    if (!for_each_row(s, LOAD_LEDGER, load_ledger, state, err) ||
        !for_each_row(s, LOAD_SOURCES, load_source, state, err) ||
        !for_each_row(s, LOAD_MISSING, load_missing, state, err) ||
        !for_each_row(s, LOAD_PARTITIONS, load_partition, state, err))
        return false;
    if (state->id.text[0] == '\0')
        return corrupt(s, err, "the row of the ledger", "is not there");
    return check_sources(s, state, err);
}

bool ledger_store_load(struct ledger_store *s, struct state *state, struct err *err)
{
    CHECK_INT(sources_count(state->sources), ==, 0);
    if (!run(s, BEGIN_READ, err)) // all rows of one moment
        return false;
    const bool ok = load_rows(s, state, err);
    ledger_store_rollback(s);
    return ok;
}

bool ledger_store_offset(struct ledger_store *s, int32_t partition, int64_t *offset,
                         struct err *err)
{
    sqlite3_stmt *stmt = s->statements[OFFSET];
    bool row;
    bind_int(stmt, 1, partition);
    if (!store_row(&s->store, stmt, &row, err))
        return false;
    *offset = row ? sqlite3_column_int64(stmt, 0) : STATE_OFFSET_NONE;
    sqlite3_reset(stmt);
    return true;
}

// --- writing ---

static bool write_source(struct ledger_store *s, const struct source *source, struct err *err)
{
    sqlite3_stmt *stmt = s->statements[SOURCE_PUT];
    bind_id(stmt, 1, &source->id);
    bind_int(stmt, 2, source->partition);
    bind_int(stmt, 3, source->position.highest);
    bind_int(stmt, 4, source->count);
    store_bind_int128(stmt, 5, source->sum);
    bind_int(stmt, 6, source->duplicates);
    bind_int(stmt, 7, source->applied_unix_us);
    bind_int(stmt, 8, source->accepted_unix_us);
    return store_run(&s->store, stmt, err);
}

static bool put_range(struct ledger_store *s, const struct uuid *id, struct range range,
                      struct err *err)
{
    sqlite3_stmt *stmt = s->statements[MISSING_PUT];
    bind_id(stmt, 1, id);
    bind_int(stmt, 2, range.first);
    bind_int(stmt, 3, range.last);
    return store_run(&s->store, stmt, err);
}

static bool remove_range(struct ledger_store *s, const struct uuid *id, struct range range,
                         struct err *err)
{
    sqlite3_stmt *stmt = s->statements[MISSING_REMOVE];
    bind_id(stmt, 1, id);
    bind_int(stmt, 2, range.first);
    return store_run(&s->store, stmt, err);
}

// Walks both lists in step; a range is known by where it begins. What is equal costs nothing.
static bool write_ranges(struct ledger_store *s, const struct uuid *id, const struct position *old,
                         const struct position *now, struct err *err)
{
    size_t i = 0, j = 0;
    bool ok = true;
    while (ok && (i < old->missing_count || j < now->missing_count)) {
        const int64_t old_first = i < old->missing_count ? old->missing[i].first : INT64_MAX;
        const int64_t now_first = j < now->missing_count ? now->missing[j].first : INT64_MAX;
        if (old_first < now_first) {
            ok = remove_range(s, id, old->missing[i++], err);
            continue;
        }
        if (old_first > now_first || old->missing[i].last != now->missing[j].last)
            ok = put_range(s, id, now->missing[j], err);
        i += old_first == now_first;
        j++;
    }
    return ok;
}

static bool write_sources(struct ledger_store *s, const struct state *state,
                          const struct state *committed, struct err *err)
{
    static const struct position nothing;
    const struct source *source = sources_touched(state->sources);
    for (; source != NULL; source = source->next_touched) {
        if (!write_source(s, source, err))
            return false;
        if (!source->ranges_changed)
            continue;
        const struct source *before = sources_find(committed->sources, &source->id);
        const struct position *old = before == NULL ? &nothing : &before->position;
        if (!write_ranges(s, &source->id, old, &source->position, err))
            return false;
    }
    return true;
}

static bool write_partition(struct ledger_store *s, const struct partition *p, struct err *err)
{
    const bool add = p->seen_offset == STATE_OFFSET_NONE;
    sqlite3_stmt *stmt = s->statements[add ? PARTITION_ADD : PARTITION_MOVE];
    bind_int(stmt, 1, p->partition);
    bind_int(stmt, 2, p->next_offset);
    bind_int(stmt, 3, p->dead_letters);
    if (!add)
        bind_int(stmt, 4, p->seen_offset);
    if (!store_run(&s->store, stmt, err))
        return false;
    if (!changed_a_row(s))
        return err_set(err, ERR_CONFLICT,
                       "partition %d: its next offset is no longer %" PRId64
                       ": another consumer owns it",
                       p->partition, p->seen_offset);
    return true;
}

static bool write_partitions(struct ledger_store *s, const struct state *state, struct err *err)
{
    for (size_t i = 0; i < state->partitions_count; i++) {
        if (state->partitions[i].touched && !write_partition(s, &state->partitions[i], err))
            return false;
    }
    return true;
}

static bool move_version(struct ledger_store *s, int64_t version, struct err *err)
{
    sqlite3_stmt *stmt = s->statements[VERSION_MOVE];
    bind_int(stmt, 1, version + 1);
    bind_int(stmt, 2, version);
    if (!store_run(&s->store, stmt, err))
        return false;
    if (!changed_a_row(s))
        return err_set(err, ERR_CONFLICT, "the ledger is no longer at version %" PRId64, version);
    return true;
}

bool ledger_store_write(struct ledger_store *s, const struct state *state,
                        const struct state *committed, struct err *err)
{
    return write_partitions(s, state, err) && move_version(s, committed->version, err) &&
           write_sources(s, state, committed, err);
}

// --- transactions ---

bool ledger_store_begin(struct ledger_store *s, struct err *err)
{
    return run(s, BEGIN_WRITE, err);
}

bool ledger_store_commit(struct ledger_store *s, struct err *err)
{
    if (run(s, COMMIT, err))
        return true;
    ledger_store_rollback(s);
    return false;
}

// SQLite ends a transaction by itself after some errors. A failing rollback ends it too: what the
// transaction wrote counts only once it is committed.
void ledger_store_rollback(struct ledger_store *s)
{
    struct err ignored;
    if (!sqlite3_get_autocommit(s->store.db))
        (void)!run(s, ROLLBACK, &ignored);
}
