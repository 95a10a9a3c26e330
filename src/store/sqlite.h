// SPDX-License-Identifier: Apache-2.0
// store: what the outbox and the ledger both need of SQLite: open one file safely, prepare and step
// statements, and say in one line what is wrong with a file. Uses base, telemetry (observe.h).
//
// A store file is claimed by one process at a time: an flock on `PATH.lock`, which holds the pid of
// the owner, goes with the process however it dies. A file says what it is by its application_id
// and user_version (SQLite "Database File Format" §1.3). One thread at a time uses a connection.
#ifndef ABACUS_STORE_SQLITE_H
#define ABACUS_STORE_SQLITE_H

#include "base/base.h"
#include "base/err.h"

#include <sqlite3.h>

struct store_format {
    const char *what;       // "outbox", "ledger": for messages
    int32_t application_id; // four letters
    int32_t version;        // of the schema; a file with a higher one is refused
    const char *schema;     // SQL that makes an empty file one of ours; runs in one transaction
    int32_t backup_id;      // application_id of a backup; 0: the same, a backup may be gone on with
};

struct store {
    sqlite3 *db; // owned
    int lock_fd; // owned; -1: a further connection to a file claimed elsewhere in this process
    char *path;  // owned
    bool backup; // of a format with a backup_id: store_backup made this file
};

// Claims the file, makes it when missing (schema and format in one transaction), checks it
// (application_id, version, quick_check), sets WAL, synchronous=FULL, a busy timeout.
// ERR_BUSY: another process holds it, the text names its pid. ERR_CORRUPT: damaged, or not a
// database. ERR_UNSUPPORTED: another program's or a newer one. ERR_UNAVAILABLE: cannot be read or
// written; each text names the file and says what to do.
MUST_USE bool store_open(struct store *store, const char *path, const struct store_format *format,
                         struct err *err);
// A further, read-only connection to a file that this process has claimed.
MUST_USE bool store_open_reader(struct store *store, const char *path, struct err *err);
// The same to a file that another process may hold; ERR_UNSUPPORTED as for store_open.
MUST_USE bool store_open_other(struct store *store, const char *path,
                               const struct store_format *format, struct err *err);
void store_close(struct store *store); // also after a failed open; finalises nothing

// Statements are owned by the caller: sqlite3_finalize. The SQL is ours: a mistake is a bug
// (CHECK).
sqlite3_stmt *store_prepare(struct store *store, const char *sql);

// Runs a statement without result rows and resets it. False: *err by store_error.
MUST_USE bool store_run(struct store *store, sqlite3_stmt *stmt, struct err *err);
// Runs a statement that gives one row or none, *row says which; reset it after reading columns.
MUST_USE bool store_row(struct store *store, sqlite3_stmt *stmt, bool *row, struct err *err);

// What SQLite's last error means: full disk, I/O, busy, locked, read-only → ERR_UNAVAILABLE;
// corrupt, not a database → ERR_CORRUPT. Always false.
bool store_error(struct store *store, struct err *err);

// Writes a copy of the file to `fd`: all that is committed at one moment, whoever has the file and
// goes on writing to it. It takes as much room again beside the file, until it ends. A stop
// (stop.h) ends it with an error.
MUST_USE bool store_backup(const char *path, const struct store_format *format, int fd,
                           struct err *err);

// What the disk has left for the file.
MUST_USE bool store_disk_free(struct store *store, int64_t *bytes, struct err *err);

// 128-bit integers are 16 bytes, big-endian, two's complement.
void store_bind_int128(sqlite3_stmt *stmt, int index, __int128 value);
MUST_USE bool store_column_int128(sqlite3_stmt *stmt, int column, __int128 *value);

#endif
