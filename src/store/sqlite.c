// SPDX-License-Identifier: Apache-2.0
// The statements' half of the store: run them, name what went wrong, carry 128-bit integers.
// Opening a file, with all the ways in which it may be the wrong one, is open.c.
#include "store/sqlite.h"

#define INT128_BYTES 16

sqlite3_stmt *store_prepare(struct store *store, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        check_failed(__FILE__, __LINE__, sqlite3_errmsg(store->db));
    CHECK(stmt != NULL);
    return stmt;
}

bool store_run(struct store *store, sqlite3_stmt *stmt, struct err *err)
{
    const int rc = sqlite3_step(stmt);
    CHECK_INT(rc, !=, SQLITE_ROW);
    const bool ok = rc == SQLITE_DONE || store_error(store, err); // the reset may change the text
    sqlite3_reset(stmt);
    return ok;
}

bool store_row(struct store *store, sqlite3_stmt *stmt, bool *row, struct err *err)
{
    const int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *row = true;
        return true;
    }
    const bool ok = rc == SQLITE_DONE || store_error(store, err);
    sqlite3_reset(stmt);
    *row = false;
    return ok;
}

// A statement of ours that breaks a constraint or misses a table met data that is not ours.
static enum err_code code_of(int rc)
{
    switch (rc & 0xff) { // the primary result code
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:
        return ERR_CORRUPT;
    default:
        return ERR_UNAVAILABLE;
    }
}

bool store_error(struct store *store, struct err *err)
{
    const int rc = sqlite3_errcode(store->db);
    CHECK_INT(rc, !=, SQLITE_MISUSE);
    CHECK_INT(rc, !=, SQLITE_RANGE);
    return err_set(err, code_of(rc), "%s: %s", store->path, sqlite3_errmsg(store->db));
}

void store_bind_int128(sqlite3_stmt *stmt, int index, __int128 value)
{
    uint8_t bytes[INT128_BYTES];
    unsigned __int128 rest = (unsigned __int128)value;
    for (size_t i = INT128_BYTES; i-- > 0; rest >>= 8)
        bytes[i] = (uint8_t)rest;
    CHECK_INT(sqlite3_bind_blob(stmt, index, bytes, sizeof(bytes), SQLITE_TRANSIENT), ==,
              SQLITE_OK);
}

bool store_column_int128(sqlite3_stmt *stmt, int column, __int128 *value)
{
    if (sqlite3_column_type(stmt, column) != SQLITE_BLOB ||
        sqlite3_column_bytes(stmt, column) != INT128_BYTES)
        return false;
    const uint8_t *bytes = sqlite3_column_blob(stmt, column);
    unsigned __int128 sum = 0;
    for (size_t i = 0; i < INT128_BYTES; i++)
        sum = sum << 8 | bytes[i];
    *value = (__int128)sum;
    return true;
}
