// SPDX-License-Identifier: Apache-2.0
// An outbox in a folder of its own, short ways to use it, and its promises as one check.
#ifndef ABACUS_TESTS_OUTBOX_FIXTURE_H
#define ABACUS_TESTS_OUTBOX_FIXTURE_H

#include "adder/outbox.h"
#include "base/clock.h"

#include "scratch.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#define KEEP_ALL INT64_MAX

struct fixture {
    char *folder, *path;
    struct outbox *outbox;        // NULL: closed
    struct outbox_reader *reader; // NULL: closed
    struct outbox_config config;
};

static inline void fixture_open(struct fixture *f)
{
    struct err err = {.text = ""};
    EXPECT(outbox_open(&f->outbox, &f->config, &err), "%s", err.text);
    EXPECT(outbox_reader_open(&f->reader, f->outbox, &err), "%s", err.text);
}

static inline void fixture_close(struct fixture *f)
{
    outbox_reader_close(f->reader);
    outbox_close(f->outbox);
    f->reader = NULL;
    f->outbox = NULL;
}

static inline void fixture_restart(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

static inline int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->folder = scratch_create();
    f->path = xasprintf("%s/outbox.db", f->folder);
    f->config = (struct outbox_config){f->path, KEEP_ALL, KEEP_ALL};
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    scratch_remove(f->folder);
    free(f->path);
    free(f);
    return 0;
}

// id: a letter for a request id, ' ' for none.
static inline struct add add_of(char id, int64_t a, int64_t b)
{
    struct add add = {.a = a, .b = b, .sum = a + b, .accepted_unix_us = clock_unix_us()};
    if (id != ' ')
        snprintf(add.request_id.text, sizeof(add.request_id.text),
                 "%02x234567-89ab-4def-8123-456789abcdef", (unsigned)(unsigned char)id);
    return add;
}

static inline bool append(struct outbox *outbox, struct add *adds, size_t n, struct err *err)
{
    struct add *list[OUTBOX_BATCH_MAX];
    for (size_t i = 0; i < n; i++)
        list[i] = &adds[i];
    return outbox_append(outbox, list, n, err);
}

// Appends n times 1 + 2 in batches, accepted at the given time.
static inline void append_rows(struct outbox *outbox, size_t n, int64_t accepted_unix_us)
{
    static struct add adds[OUTBOX_BATCH_MAX];
    struct err err = {.text = ""};
    for (size_t left = n; left > 0;) {
        const size_t batch = left < OUTBOX_BATCH_MAX ? left : OUTBOX_BATCH_MAX;
        for (size_t i = 0; i < batch; i++) {
            adds[i] = add_of(' ', 1, 2);
            adds[i].accepted_unix_us = accepted_unix_us;
        }
        EXPECT(append(outbox, adds, batch, &err), "%s", err.text);
        left -= batch;
    }
}

static inline struct outbox_stats stats_of(struct outbox *outbox)
{
    struct outbox_stats stats;
    outbox_stats(outbox, &stats);
    return stats;
}

static inline void tend_all(struct outbox *outbox)
{
    struct err err = {.text = ""};
    bool more = true;
    while (more)
        EXPECT(outbox_tend(outbox, &more, &err), "%s", err.text);
}

// One number from the file, by a connection of our own.
static inline int64_t ask_file(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    EXPECT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
           sqlite3_errmsg(db));
    const int rc = sqlite3_step(stmt);
    EXPECT(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
    const int64_t number = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

// I1, I2, I3, as the relay's reader sees them; for an outbox that keeps all its rows.
static inline void expect_promises(struct fixture *f)
{
    static struct event events[700];
    const struct outbox_stats stats = stats_of(f->outbox);
    struct err err = {.text = ""};
    __int128 sum = 0;
    int64_t last = 0;
    for (size_t n = 1; n > 0; last += (int64_t)n) {
        EXPECT(outbox_read(f->reader, last, events, COUNT_OF(events), &n, &err), "%s", err.text);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(events[i].sequence, last + (int64_t)i + 1); // I1
            sum += events[i].sum;
        }
    }
    assert_int_equal(last, stats.appended);
    assert_in_range(stats.published, 0, stats.appended); // I2
    assert_true(sum == stats.sum);                       // I3
    assert_int_equal(ask_file(f->path, "SELECT appended FROM source"), stats.appended);
}

#endif
