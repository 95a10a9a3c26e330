// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite.h"

#include "base/stop.h"

#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define ID        0x6e6f7465
#define BACKUP_ID 0x6e6f7463

static const struct store_format format = {
    .what = "notes",
    .application_id = ID,
    .version = 3,
    .schema = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    .backup_id = BACKUP_ID,
};

struct fixture {
    char *folder, *path, *backup;
    struct store store;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct err err = {.text = ""};
    f.folder = scratch_create();
    f.path = xasprintf("%s/notes.db", f.folder);
    f.backup = xasprintf("%s/copy", f.folder);
    EXPECT(store_open(&f.store, f.path, &format, &err), "%s", err.text);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    scratch_remove(f->folder);
    free(f->path);
    free(f->backup);
    return 0;
}

static void execute(struct fixture *f, const char *sql)
{
    char *text = NULL;
    EXPECT(sqlite3_exec(f->store.db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
}

static bool back_up(struct fixture *f, const struct store_format *as, struct err *err)
{
    const int fd = open(f->backup, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    const bool ok = store_backup(f->path, as, fd, err);
    close(fd);
    return ok;
}

static int64_t notes_in_backup(struct fixture *f, const struct store_format *as, bool *is_backup)
{
    struct store store;
    struct err err = {.text = ""};
    bool row;
    EXPECT(store_open(&store, f->backup, as, &err), "%s", err.text);
    sqlite3_stmt *stmt = store_prepare(&store, "SELECT count(*) FROM note");
    EXPECT(store_row(&store, stmt, &row, &err), "%s", err.text);
    const int64_t count = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    *is_backup = store.backup;
    store_close(&store);
    return count;
}

static int temporary_files(const struct fixture *f)
{
    int count = 0;
    DIR *folder = opendir(f->folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strstr(entry->d_name, ".backup-") != NULL;
    closedir(folder);
    return count;
}

static void it_holds_what_is_committed_while_the_owner_writes(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    bool is_backup;
    execute(f, "INSERT INTO note(text) VALUES('one'), ('two')");
    execute(f, "BEGIN IMMEDIATE; INSERT INTO note(text) VALUES('three')");
    EXPECT(back_up(f, &format, &err), "%s", err.text);
    execute(f, "COMMIT");
    assert_int_equal(notes_in_backup(f, &format, &is_backup), 2);
    assert_int_equal(temporary_files(f), 0);
}

static void it_says_that_it_is_one_if_the_format_wants_so(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    bool is_backup;
    EXPECT(back_up(f, &format, &err), "%s", err.text);
    notes_in_backup(f, &format, &is_backup);
    assert_true(is_backup);
    assert_false(f->store.backup);

    struct store_format goes_on = format;
    goes_on.backup_id = 0;
    EXPECT(back_up(f, &goes_on, &err), "%s", err.text);
    notes_in_backup(f, &goes_on, &is_backup);
    assert_false(is_backup);
}

static void a_file_that_is_not_ours_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    execute(f, "PRAGMA application_id=42");
    assert_false(back_up(f, &format, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

static void a_file_that_is_not_there_is_not_made(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    char *nowhere = xasprintf("%s/nowhere.db", f->folder);
    assert_false(store_backup(nowhere, &format, STDOUT_FILENO, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_not_equal(access(nowhere, F_OK), 0);
    free(nowhere);
}

static void a_backup_that_cannot_be_written_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    const int full = open("/dev/full", O_WRONLY);
    assert_false(store_backup(f->path, &format, full, &err));
    close(full);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, "write the backup") != NULL, "%s", err.text);
    assert_int_equal(temporary_files(f), 0);
}

// A stop is for ever in this process: the last test.
static void asked_to_stop_it_ends_before_it_has_read_all(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    execute(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
               "INSERT INTO note(text) SELECT 'one of many' FROM n");
    stop_init();
    stop_request();
    assert_false(back_up(f, &format, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, "interrupted") != NULL, "%s", err.text);
    assert_int_equal(temporary_files(f), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_holds_what_is_committed_while_the_owner_writes),
        CASE(it_says_that_it_is_one_if_the_format_wants_so),
        CASE(a_file_that_is_not_ours_is_refused),
        CASE(a_file_that_is_not_there_is_not_made),
        CASE(a_backup_that_cannot_be_written_is_an_error),
        CASE(asked_to_stop_it_ends_before_it_has_read_all),
    };
    return cmocka_run_group_tests_name("store backup", tests, NULL, NULL);
}
