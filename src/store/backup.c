// SPDX-License-Identifier: Apache-2.0
// A copy of a store file in use. `VACUUM INTO` reads all of it in one transaction, so the copy is
// of one moment and the owner goes on meanwhile; a copy by reading the file could be torn, and
// SQLite's backup interface begins anew with every commit of another process.
#include "store/sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID_AT 68 // SQLite "Database File Format" §1.3: four bytes, big-endian
#define CHUNK_BYTES       65536

static bool failed(struct err *err, const char *what)
{
    return err_set(err, ERR_UNAVAILABLE, "cannot %s: %s", what, strerror(errno));
}

// SQLite takes a file that is there when it is empty.
static bool vacuum_into(struct store *from, const char *to, struct err *err)
{
    sqlite3_stmt *stmt = store_prepare(from, "VACUUM INTO ?1");
    sqlite3_bind_text(stmt, 1, to, -1, SQLITE_STATIC);
    const bool ok = store_run(from, stmt, err);
    sqlite3_finalize(stmt);
    return ok;
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
    char *name = xasprintf("%s.backup-XXXXXX", path); // killed, it leaves this file behind
    const int copy = mkstemp(name);
    bool ok = copy >= 0 || failed(err, "make a file beside the store");
    ok = ok && vacuum_into(&from, name, err);
    ok = ok && (format->backup_id == 0 || mark(copy, format->backup_id, err));
    ok = ok && stream(copy, fd, err);
    if (copy >= 0) {
        unlink(name);
        close(copy);
    }
    free(name);
    store_close(&from);
    return ok;
}
