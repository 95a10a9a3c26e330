// SPDX-License-Identifier: Apache-2.0
// A copy of a store file in use. `VACUUM INTO` reads all of it in one transaction, so the copy is
// of one moment and the owner goes on meanwhile; a copy by reading the file could be torn, and
// SQLite's backup interface begins anew with every commit of another process.
#include "store/sqlite.h"

#include "base/stop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID_AT 68 // SQLite "Database File Format" §1.3: four bytes, big-endian
#define CHUNK_BYTES       65536
#define ASK_OPERATIONS    1000 // of SQLite's, some microseconds: then it asks whether to go on

static bool failed(struct err *err, const char *what)
{
    return err_set(err, ERR_UNAVAILABLE, "cannot %s: %s", what, strerror(errno));
}

static int asks_to_stop(void *ctx)
{
    (void)ctx;
    return stop_requested();
}

// SQLite takes a file that is there when it is empty.
static bool vacuum_into(struct store *from, const char *to, struct err *err)
{
    sqlite3_stmt *stmt = store_prepare(from, "VACUUM INTO ?1");
    sqlite3_bind_text(stmt, 1, to, -1, SQLITE_STATIC);
    sqlite3_progress_handler(from->db, ASK_OPERATIONS, asks_to_stop, NULL);
    const bool ok = store_run(from, stmt, err);
    sqlite3_finalize(stmt);
    return ok;
}

// A file of its own without a name, so that nothing stays behind however the process ends: only
// while SQLite writes it, it has one. -1: *err.
static int copy_of(struct store *from, struct err *err)
{
    char *name = xasprintf("%s.backup-XXXXXX", from->path);
    int copy = mkstemp(name);
    if (copy < 0) {
        failed(err, "make a file beside the store");
    } else {
        const bool ok = vacuum_into(from, name, err);
        unlink(name);
        if (!ok) {
            close(copy);
            copy = -1;
        }
    }
    free(name);
    return copy;
}

static bool mark(int fd, int32_t application_id, struct err *err)
{
    const uint32_t id = (uint32_t)application_id;
    const uint8_t bytes[] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
                             (uint8_t)id};
    return pwrite(fd, bytes, sizeof(bytes), APPLICATION_ID_AT) == sizeof(bytes) ||
           failed(err, "mark the backup as one");
}

static bool write_all(int fd, const char *data, size_t length, struct err *err)
{
    while (length > 0) {
        if (stop_requested()) // a reader may keep us for ever
            return err_set(err, ERR_UNAVAILABLE, "stopped: the backup is not complete");
        const ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(err, "write the backup");
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static bool stream(int from, int to, struct err *err)
{
    char *chunk = xmalloc(CHUNK_BYTES);
    ssize_t n;
    bool ok = true;
    while (ok && (n = read(from, chunk, CHUNK_BYTES)) != 0)
        ok = n < 0 ? errno == EINTR || failed(err, "read the backup")
                   : write_all(to, chunk, (size_t)n, err);
    free(chunk);
    return ok;
}

bool store_backup(const char *path, const struct store_format *format, int fd, struct err *err)
{
    struct store from;
    if (!store_open_other(&from, path, format, err))
        return false;
    const int copy = copy_of(&from, err);
    store_close(&from);
    if (copy < 0)
        return false;
    const bool ok =
        (format->backup_id == 0 || mark(copy, format->backup_id, err)) && stream(copy, fd, err);
    close(copy);
    return ok;
}
