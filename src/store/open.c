// SPDX-License-Identifier: Apache-2.0
// Opens a store file. The order matters: claim it before touching it, know that it is ours before
// changing a byte of it (switching to WAL already writes to the file), know that it is sound before
// trusting it.
//
//   claim ─▶ connect ─▶ ours? newer? ─▶ sound? ─▶ WAL ─▶ schema, when the file is empty
//
// A process that dies in between leaves an empty file or a whole one: the schema, application_id
// and user_version become durable in one transaction.
#include "store/sqlite.h"

#include "base/int128.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000      // two connections of one process: waits are short
#define CACHE_KIB       "2048"    // of pages, for each connection
#define WAL_PAGES       "1000"    // checkpoint when the WAL is longer than this
#define WAL_BYTES_LEFT  "8388608" // a WAL that once grew longer is cut to this
#define PID_BYTES       16

// --- the claim ---

// Who holds it, for a message: the text of the lock file, "?" when it is not a number.
static void read_owner(int fd, char out[PID_BYTES])
{
    const ssize_t length = pread(fd, out, PID_BYTES - 1, 0);
    int64_t pid;
    out[length < 0 ? 0 : length] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (!int64_parse(out, strlen(out), &pid))
        snprintf(out, PID_BYTES, "?");
}

// The pid is only for others' messages: when it cannot be written the claim holds all the same.
static void write_owner(int fd)
{
    char text[PID_BYTES];
    const int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)length, 0);
}

// Named after the file itself: it must not be claimed twice by way of a link.
static char *lock_name(const char *path)
{
    char *file = realpath(path, NULL); // NULL: it is not there yet
    char *name = xasprintf("%s.lock", file != NULL ? file : path);
    free(file);
    return name;
}

// The lock file stays for ever: removing it would let two processes lock two files of one name.
static bool claim(struct store *store, struct err *err)
{
    char *name = lock_name(store->path);
    store->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    const int open_errno = errno;
    free(name);
    if (store->lock_fd < 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot make its lock file: %s; check that the directory exists and is "
                       "writable",
                       strerror(open_errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        write_owner(store->lock_fd);
        return true;
    }
    if (errno != EWOULDBLOCK)
        return err_set(err, ERR_UNAVAILABLE, "cannot lock it: %s", strerror(errno));
    char owner[PID_BYTES];
    read_owner(store->lock_fd, owner);
    return err_set(err, ERR_BUSY, "it is held by process %s; stop that one first", owner);
}

// --- questions to the file ---

// What SQLite says, with advice. The caller's prefix names the file.
static bool open_error(struct store *store, struct err *err)
{
    const char *advice = "check the disk, and the owner and permissions of the file";
    const int rc = sqlite3_errcode(store->db) & 0xff;
    if (rc == SQLITE_NOTADB)
        return err_set(err, ERR_CORRUPT, "it is not a database; give another path or move it away");
    if (rc == SQLITE_CORRUPT)
        return err_set(err, ERR_CORRUPT, "it is damaged: %s; restore it from a copy",
                       sqlite3_errmsg(store->db));
    if (rc == SQLITE_FULL)
        advice = "make room";
    return err_set(err, ERR_UNAVAILABLE, "%s; %s", sqlite3_errmsg(store->db), advice);
}

// The first column of the first row, as text; owned by the caller. A read of a file that nobody
// has checked yet, so unlike store_prepare any mistake is an error.
static bool ask(struct store *store, const char *sql, char **answer, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    const int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    const bool ok = rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    if (ok) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        *answer = xstrdup(text == NULL ? "" : text);
    } else {
        open_error(store, err);
    }
    sqlite3_finalize(stmt);
    return ok;
}

static bool ask_int(struct store *store, const char *sql, int64_t *number, struct err *err)
{
    char *answer;
    if (!ask(store, sql, &answer, err))
        return false;
    CHECK(int64_parse(answer, strlen(answer), number)); // each of these is a number by its nature
    free(answer);
    return true;
}

// --- is it ours, is it sound ---

static bool is_empty(struct store *store, bool *empty, struct err *err)
{
    int64_t application_id, tables;
    if (!ask_int(store, "PRAGMA application_id", &application_id, err) ||
        !ask_int(store, "SELECT count(*) FROM sqlite_schema", &tables, err))
        return false;
    *empty = application_id == 0 && tables == 0;
    return true;
}

static bool is_ours(struct store *store, const struct store_format *format, struct err *err)
{
    int64_t application_id, version;
    if (!ask_int(store, "PRAGMA application_id", &application_id, err) ||
        !ask_int(store, "PRAGMA user_version", &version, err))
        return false;
    store->backup = format->backup_id != 0 && application_id == format->backup_id;
    if (application_id != format->application_id && !store->backup)
        return err_set(err, ERR_UNSUPPORTED,
                       "it is another program's database (application_id %" PRId64
                       "); give another path",
                       application_id);
    if (version > format->version)
        return err_set(err, ERR_UNSUPPORTED,
                       "a newer program made it (version %" PRId64 ", this one knows %d); run the "
                       "newer one",
                       version, (int)format->version);
    if (version < format->version)
        return err_set(err, ERR_UNSUPPORTED,
                       "an older program made it (version %" PRId64 ", this one knows %d); run the "
                       "older one",
                       version, (int)format->version);
    return true;
}

// All tables and indices as SQL; SQLite's own (statistics made by an operator) do not matter.
#define ALL_SQL                                                          \
    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema " \
    "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name)"

// The schema as SQLite stores it, taken from an empty database in memory; owned by the caller.
static char *expected_schema(const struct store_format *format)
{
    struct store model = {.lock_fd = -1};
    struct err err;
    char *sql = NULL;
    CHECK_INT(sqlite3_open(":memory:", &model.db), ==, SQLITE_OK);
    CHECK_INT(sqlite3_exec(model.db, format->schema, NULL, NULL, NULL), ==, SQLITE_OK);
    CHECK(ask(&model, ALL_SQL, &sql, &err));
    sqlite3_close(model.db);
    return sql;
}

// After this a statement of ours can be prepared, and what it reads is what was written.
static bool is_sound(struct store *store, const struct store_format *format, struct err *err)
{
    char *verdict, *schema;
    if (!ask(store, "PRAGMA quick_check(1)", &verdict, err))
        return false;
    const bool whole = strcmp(verdict, "ok") == 0;
    if (!whole)
        err_set(err, ERR_CORRUPT, "it is damaged: %.100s; restore it from a copy", verdict);
    free(verdict);
    if (!whole || !ask(store, ALL_SQL, &schema, err))
        return false;
    char *expected = expected_schema(format);
    const bool same = strcmp(schema, expected) == 0;
    free(expected);
    free(schema);
    if (!same)
        return err_set(err, ERR_CORRUPT,
                       "its tables are not those of version %d; restore it from "
                       "a copy",
                       (int)format->version);
    return true;
}

// --- make it work ---

static bool connect_to(struct store *store, int flags, struct err *err)
{
    // No two threads use a connection at once, so it needs no mutex.
    if (sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return open_error(store, err);
    CHECK_INT(sqlite3_extended_result_codes(store->db, 1), ==, SQLITE_OK);
    CHECK_INT(sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS), ==, SQLITE_OK);
    return true;
}

static bool execute(struct store *store, const char *sql, struct err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || open_error(store, err);
}

// WAL: readers and the writer do not wait for each other, and a commit is one sequential write.
// FULL: the WAL is synced with every commit, so what was answered survives power loss. Removed rows
// are no secrets: some builds of SQLite would write zeros over them.
static bool set_modes(struct store *store, struct err *err)
{
    char *mode;
    if (sqlite3_db_readonly(store->db, "main") == 1)
        return err_set(err, ERR_UNAVAILABLE,
                       "it cannot be written; check its owner and permissions");
    if (!ask(store, "PRAGMA journal_mode=WAL", &mode, err))
        return false;
    const bool wal = strcmp(mode, "wal") == 0;
    free(mode);
    if (!wal)
        return err_set(
            err, ERR_UNAVAILABLE,
            "its file system cannot do write-ahead logging; give a path on a local disk");
    return execute(store,
                   "PRAGMA synchronous=FULL; PRAGMA cache_size=-" CACHE_KIB
                   "; PRAGMA secure_delete=OFF; PRAGMA wal_autocheckpoint=" WAL_PAGES
                   "; PRAGMA journal_size_limit=" WAL_BYTES_LEFT,
                   err);
}

static bool create_schema(struct store *store, const struct store_format *format, struct err *err)
{
    char *sql = xasprintf("BEGIN IMMEDIATE; PRAGMA application_id=%d; PRAGMA user_version=%d; "
                          "%s; COMMIT",
                          (int)format->application_id, (int)format->version, format->schema);
    const bool ok = execute(store, sql, err);
    free(sql);
    return ok;
}

static bool open_claimed(struct store *store, const struct store_format *format, struct err *err)
{
    bool empty;
    if (!connect_to(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) ||
        !is_empty(store, &empty, err))
        return false;
    if (empty)
        return set_modes(store, err) && create_schema(store, format, err);
    return is_ours(store, format, err) && is_sound(store, format, err) && set_modes(store, err);
}

bool store_open(struct store *store, const char *path, const struct store_format *format,
                struct err *err)
{
    *store = (struct store){.lock_fd = -1, .path = xstrdup(path)};
    if (claim(store, err) && open_claimed(store, format, err))
        return true;
    err_prefix(err, "open %s %s", format->what, path);
    store_close(store);
    return false;
}

bool store_open_reader(struct store *store, const char *path, struct err *err)
{
    *store = (struct store){.lock_fd = -1, .path = xstrdup(path)};
    int64_t tables; // asking loads the schema, so that store_prepare needs nothing of the disk
    if (connect_to(store, SQLITE_OPEN_READONLY, err) &&
        ask_int(store, "SELECT count(*) FROM sqlite_schema", &tables, err) &&
        execute(store, "PRAGMA cache_size=-" CACHE_KIB, err))
        return true;
    err_prefix(err, "open %s for reading", path);
    store_close(store);
    return false;
}

bool store_open_other(struct store *store, const char *path, const struct store_format *format,
                      struct err *err)
{
    if (!store_open_reader(store, path, err))
        return false;
    if (is_ours(store, format, err))
        return true;
    err_prefix(err, "open %s %s", format->what, path);
    store_close(store);
    return false;
}

// Asked of the lock file, which is open and lies beside it.
bool store_disk_free(struct store *store, int64_t *bytes, struct err *err)
{
    struct statvfs disk;
    if (fstatvfs(store->lock_fd, &disk) != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: cannot see how full the disk is: %s", store->path,
                       strerror(errno));
    *bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return true;
}

// The file is let go of last: nobody may claim it while this process may still write to it.
void store_close(struct store *store)
{
    CHECK_INT(sqlite3_close(store->db), ==, SQLITE_OK); // else a statement was not finalised
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->path);
    *store = (struct store){.lock_fd = -1};
}
