// SPDX-License-Identifier: Apache-2.0
#include "adder/outbox_table.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID 0x41424f58 // "ABOX"
#define BACKUP_ID      0x41424f43 // "ABOC"
#define VERSION        1
#define VERSION_TEXT   "1"
#define UUID_BYTES     16

// request_id and traceparent are NULL when not given: such rows do not touch the index.
// The format's two values are the new source's id and the time of its birth.
static const char schema_format[] =
    "CREATE TABLE source("
    " id TEXT NOT NULL, partition INTEGER NOT NULL, appended INTEGER NOT NULL,"
    " published INTEGER NOT NULL, sum BLOB NOT NULL, created_unix_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE outbox("
    " sequence INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL,"
    " accepted_unix_us INTEGER NOT NULL, request_id BLOB, traceparent TEXT) STRICT;"
    "CREATE UNIQUE INDEX outbox_request_id ON outbox(request_id) WHERE request_id IS NOT NULL;"
    "INSERT INTO source VALUES('%s', -1, 0, 0, zeroblob(16), %" PRId64 ")";

static const struct {
    size_t offset;
    const char *sql;
} statements[] = {
#define STATEMENT(name, sql)                     \
    {                                            \
        offsetof(struct outbox_table, name), sql \
    }
    // IMMEDIATE: the write lock comes first, so that no statement inside finds it taken.
    STATEMENT(begin, "BEGIN IMMEDIATE"),
    STATEMENT(commit, "COMMIT"),
    STATEMENT(rollback, "ROLLBACK"),
    STATEMENT(insert, "INSERT INTO outbox(sequence, a, b, accepted_unix_us, traceparent)"
                      " VALUES(?1, ?2, ?3, ?4, ?5)"),
    STATEMENT(insert_once,
              "INSERT INTO outbox(sequence, a, b, accepted_unix_us, traceparent, request_id)"
              " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
              " ON CONFLICT(request_id) WHERE request_id IS NOT NULL DO NOTHING"),
    STATEMENT(find, "SELECT sequence, a, b FROM outbox WHERE request_id = ?1"),
    STATEMENT(source, "SELECT id, partition, appended, published, sum FROM source"),
    STATEMENT(ends, "SELECT (SELECT min(sequence) FROM outbox),"
                    " (SELECT max(sequence) FROM outbox)"), // one query for both scans the table
    STATEMENT(accepted, "SELECT accepted_unix_us FROM outbox WHERE sequence = ?1"),
    STATEMENT(first_young, "SELECT sequence FROM outbox WHERE sequence BETWEEN ?1 AND ?2"
                           " AND accepted_unix_us >= ?3 ORDER BY sequence LIMIT 1"),
    STATEMENT(free_pages, "SELECT freelist_count * page_size"
                          " FROM pragma_freelist_count, pragma_page_size"),
    STATEMENT(counts_set, "UPDATE source SET appended = ?1, published = ?2, sum = ?3"),
    STATEMENT(partition_set, "UPDATE source SET partition = ?1"),
    // SQLite leaves a page alone when an UPDATE sets what is there; this writes one in any case.
    STATEMENT(touch, "PRAGMA user_version = " VERSION_TEXT),
    STATEMENT(remove, "DELETE FROM outbox WHERE sequence <= ?1"),
#undef STATEMENT
};

static const struct store_format format = {
    .what = "outbox", .application_id = APPLICATION_ID, .version = VERSION, .backup_id = BACKUP_ID};

static sqlite3_stmt **statement_at(struct outbox_table *table, size_t i)
{
    return (sqlite3_stmt **)(void *)((char *)table + statements[i].offset);
}

bool outbox_table_open(struct outbox_table *table, const char *path, struct err *err)
{
    const struct uuid id = uuid_random();
    char *schema = xasprintf(schema_format, id.text, clock_unix_us());
    struct store_format with_schema = format;
    with_schema.schema = schema;
    const bool ok = store_open(&table->store, path, &with_schema, err);
    free(schema);
    if (!ok)
        return false;
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        *statement_at(table, i) = store_prepare(&table->store, statements[i].sql);
    return true;
}

void outbox_table_close(struct outbox_table *table)
{
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        sqlite3_finalize(*statement_at(table, i));
    store_close(&table->store);
}

bool outbox_table_backup(const char *path, int fd, struct err *err)
{
    return store_backup(path, &format, fd, err);
}

// --- reading ---

static bool damaged(struct outbox_table *table, struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "%s: %s; restore it from a copy", table->store.path, what);
}

static bool source_columns(sqlite3_stmt *stmt, struct outbox_source *out)
{
    const char *id = (const char *)sqlite3_column_text(stmt, 0);
    const int64_t partition = sqlite3_column_int64(stmt, 1);
    out->partition = (int32_t)partition;
    out->appended = sqlite3_column_int64(stmt, 2);
    out->published = sqlite3_column_int64(stmt, 3);
    return id != NULL && uuid_parse(id, strlen(id), &out->id) && partition >= -1 &&
           partition <= INT32_MAX && 0 <= out->published && out->published <= out->appended &&
           store_column_int128(stmt, 4, &out->sum);
}

// The rows kept end at `appended`, and none that is not published is missing at their start. What
// may be missing in between the reader finds.
static bool ends_match(const struct outbox_source *source, int64_t last)
{
    if (last == 0)
        return source->published == source->appended;
    return last == source->appended && source->first >= 1 && source->first <= source->published + 1;
}

bool outbox_table_source(struct outbox_table *table, struct outbox_source *out, struct err *err)
{
    struct outbox_source read;
    bool row;
    if (!store_row(&table->store, table->source, &row, err))
        return false;
    const bool sane = row && source_columns(table->source, &read);
    sqlite3_reset(table->source);
    if (!sane)
        return damaged(table, err, "its source row makes no sense");
    if (!store_row(&table->store, table->ends, &row, err))
        return false;
    const int64_t last = sqlite3_column_int64(table->ends, 1); // 0 when there is no row
    read.first = last == 0 ? read.appended + 1 : sqlite3_column_int64(table->ends, 0);
    sqlite3_reset(table->ends);
    if (!ends_match(&read, last))
        return damaged(table, err, "its rows are not those its source counts");
    *out = read;
    return true;
}

bool outbox_table_accepted(struct outbox_table *table, int64_t sequence, int64_t *accepted_unix_us,
                           struct err *err)
{
    bool row;
    sqlite3_bind_int64(table->accepted, 1, sequence);
    if (!store_row(&table->store, table->accepted, &row, err))
        return false;
    *accepted_unix_us = row ? sqlite3_column_int64(table->accepted, 0) : 0;
    if (!clock_is_rfc3339(*accepted_unix_us)) // of a damaged row, which the reader refuses
        *accepted_unix_us = 0;
    sqlite3_reset(table->accepted);
    return true;
}

bool outbox_table_free(struct outbox_table *table, int64_t *bytes, struct err *err)
{
    bool row;
    if (!store_row(&table->store, table->free_pages, &row, err))
        return false;
    *bytes = row ? sqlite3_column_int64(table->free_pages, 0) : 0;
    sqlite3_reset(table->free_pages);
    return true;
}

bool outbox_table_first_young(struct outbox_table *table, struct outbox_span span,
                              int64_t cutoff_unix_us, int64_t *sequence, struct err *err)
{
    bool row;
    sqlite3_bind_int64(table->first_young, 1, span.from);
    sqlite3_bind_int64(table->first_young, 2, span.to);
    sqlite3_bind_int64(table->first_young, 3, cutoff_unix_us);
    if (!store_row(&table->store, table->first_young, &row, err))
        return false;
    *sequence = row ? sqlite3_column_int64(table->first_young, 0) : span.to + 1;
    sqlite3_reset(table->first_young);
    return true;
}

// --- writing ---

bool outbox_table_begin(struct outbox_table *table, struct err *err)
{
    return store_run(&table->store, table->begin, err);
}

// A full disk or a lock stops a commit before its last frame is in the WAL. After any other error
// that frame may have reached the disk without our hearing of it.
bool outbox_table_commit(struct outbox_table *table, struct err *err)
{
    const int rc = sqlite3_step(table->commit);
    const bool ok = rc == SQLITE_DONE || store_error(&table->store, err);
    sqlite3_reset(table->commit);
    if (!ok && (rc & 0xff) != SQLITE_FULL && (rc & 0xff) != SQLITE_BUSY)
        err->code = ERR_UNKNOWN;
    return ok;
}

// SQLite has rolled back by itself after some errors.
bool outbox_table_rollback(struct outbox_table *table, struct err *err)
{
    return sqlite3_get_autocommit(table->store.db) ||
           store_run(&table->store, table->rollback, err);
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void uuid_pack(const struct uuid *id, uint8_t out[UUID_BYTES])
{
    const char *at = id->text;
    for (size_t i = 0; i < UUID_BYTES; i++, at += 2) {
        at += *at == '-';
        out[i] = (uint8_t)(nibble(at[0]) << 4 | nibble(at[1]));
    }
}

// Bound without copies: the add outlives the step.
static void bind_add(sqlite3_stmt *stmt, int64_t sequence, const struct add *add)
{
    sqlite3_bind_int64(stmt, 1, sequence);
    sqlite3_bind_int64(stmt, 2, add->a);
    sqlite3_bind_int64(stmt, 3, add->b);
    sqlite3_bind_int64(stmt, 4, add->accepted_unix_us);
    if (add->context.traceparent[0] == '\0')
        sqlite3_bind_null(stmt, 5);
    else
        sqlite3_bind_text(stmt, 5, add->context.traceparent, TRACEPARENT_LENGTH, SQLITE_STATIC);
}

bool outbox_table_insert(struct outbox_table *table, int64_t sequence, const struct add *add,
                         bool *inserted, struct err *err)
{
    *inserted = true;
    if (add->request_id.text[0] == '\0') {
        bind_add(table->insert, sequence, add);
        return store_run(&table->store, table->insert, err);
    }
    uint8_t id[UUID_BYTES];
    uuid_pack(&add->request_id, id);
    bind_add(table->insert_once, sequence, add);
    sqlite3_bind_blob(table->insert_once, 6, id, sizeof(id), SQLITE_STATIC);
    if (!store_run(&table->store, table->insert_once, err))
        return false;
    *inserted = sqlite3_changes(table->store.db) == 1;
    return true;
}

bool outbox_table_find(struct outbox_table *table, struct add *add, struct err *err)
{
    uint8_t id[UUID_BYTES];
    bool row;
    uuid_pack(&add->request_id, id);
    sqlite3_bind_blob(table->find, 1, id, sizeof(id), SQLITE_STATIC);
    if (!store_row(&table->store, table->find, &row, err))
        return false;
    if (!row)
        return damaged(table, err, "its index of request ids is wrong");
    const bool same = sqlite3_column_int64(table->find, 1) == add->a &&
                      sqlite3_column_int64(table->find, 2) == add->b;
    add->outcome = same ? ADD_REPEATED : ADD_CONFLICT;
    add->sequence = same ? sqlite3_column_int64(table->find, 0) : 0;
    sqlite3_reset(table->find);
    return true;
}

bool outbox_table_counts_set(struct outbox_table *table, const struct outbox_source *source,
                             struct err *err)
{
    sqlite3_bind_int64(table->counts_set, 1, source->appended);
    sqlite3_bind_int64(table->counts_set, 2, source->published);
    store_bind_int128(table->counts_set, 3, source->sum);
    return store_run(&table->store, table->counts_set, err);
}

bool outbox_table_partition_set(struct outbox_table *table, int32_t partition, struct err *err)
{
    sqlite3_bind_int64(table->partition_set, 1, partition);
    return store_run(&table->store, table->partition_set, err);
}

bool outbox_table_touch(struct outbox_table *table, struct err *err)
{
    return store_run(&table->store, table->touch, err);
}

bool outbox_table_remove(struct outbox_table *table, int64_t last, struct err *err)
{
    sqlite3_bind_int64(table->remove, 1, last);
    return store_run(&table->store, table->remove, err);
}
