// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite.h"

#include "scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534 // root may write anywhere, so the tests of permissions run as somebody else

static const struct store_format format = {
    .what = "notes",
    .application_id = 0x6e6f7465,
    .version = 3,
    .schema = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
              "CREATE UNIQUE INDEX note_text ON note(text)",
};

struct fixture {
    char *folder, *path;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.folder = scratch_create();
    f.path = xasprintf("%s/notes.db", f.folder);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    (void)chmod(f->folder, 0700);
    scratch_remove(f->folder);
    free(f->path);
    return 0;
}

static void open_well(struct store *store, const char *path)
{
    struct err err = {.text = ""};
    EXPECT(store_open(store, path, &format, &err), "%s", err.text);
}

static bool run(struct store *store, const char *sql, struct err *err)
{
    sqlite3_stmt *stmt = store_prepare(store, sql);
    const bool ok = store_run(store, stmt, err);
    sqlite3_finalize(stmt);
    return ok;
}

static void run_well(struct store *store, const char *sql)
{
    struct err err = {.text = ""};
    EXPECT(run(store, sql, &err), "%s", err.text);
}

static int64_t number(struct store *store, const char *sql)
{
    sqlite3_stmt *stmt = store_prepare(store, sql);
    struct err err = {.text = ""};
    bool row;
    EXPECT(store_row(store, stmt, &row, &err), "%s", err.text);
    assert_true(row);
    const int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

// Changes a file by SQL without the store: as another program would.
static void alter(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *text = NULL;
    EXPECT(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_ours(const char *path)
{
    struct store store;
    open_well(&store, path);
    run_well(&store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
                     "INSERT INTO note(text) SELECT 'note number ' || i FROM n");
    store_close(&store);
}

static void overwrite(const char *path, off_t at, const char *bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, strlen(bytes), at), strlen(bytes));
    close(fd);
}

static void what_was_stored_is_there_when_opened_again(void **state)
{
    const struct fixture *f = *state;
    make_ours(f->path);
    struct store store;
    open_well(&store, f->path);
    assert_int_equal(number(&store, "SELECT count(*) FROM note"), 999);
    assert_int_equal(number(&store, "PRAGMA application_id"), format.application_id);
    assert_int_equal(number(&store, "PRAGMA user_version"), format.version);
    assert_int_equal(number(&store, "PRAGMA synchronous"), 2); // FULL
    store_close(&store);
}

// A process that died while it made the file leaves one of these.
static void an_unfinished_file_becomes_one_of_ours(void **state)
{
    const struct fixture *f = *state;
    static const char *const table[] = {"PRAGMA user_version=0", "PRAGMA journal_mode=WAL"};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        unlink(f->path);
        alter(f->path, table[i]);
        struct store store;
        open_well(&store, f->path);
        assert_int_equal(number(&store, "SELECT count(*) FROM note"), 0);
        store_close(&store);
    }
}

// --- files that are refused ---
static void make_text(const char *path)
{
    overwrite(path, 0,
              "This is a shopping list and certainly no database: bread, milk, apples, "
              "and whatever else is needed to make it longer than one header of SQLite.");
}

static void make_foreign(const char *path)
{
    alter(path, "CREATE TABLE bookmark(url)");
}

static void make_other_id(const char *path)
{
    make_ours(path);
    alter(path, "PRAGMA application_id=7");
}

static void make_newer(const char *path)
{
    make_ours(path);
    alter(path, "PRAGMA user_version=4");
}

static void make_older(const char *path)
{
    make_ours(path);
    alter(path, "PRAGMA user_version=2");
}

static void make_without_index(const char *path)
{
    make_ours(path);
    alter(path, "DROP INDEX note_text");
}

static void make_damaged(const char *path)
{
    make_ours(path);
    for (off_t page = 1; page < 8; page++)
        overwrite(path, page * 4096, "garbage over the header of a page");
}

static void make_cut(const char *path)
{
    make_ours(path);
    assert_int_equal(truncate(path, 3 * 4096), 0);
}

static void make_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_read_only(const char *path)
{
    make_ours(path);
    assert_int_equal(chmod(path, 0400), 0);
}

static void close_folder(const char *path)
{
    char *folder = xstrdup(path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(chmod(folder, 0500), 0);
    free(folder);
}

static void what_is_not_ours_or_not_sound_is_refused_and_the_text_says_what_to_do(void **state)
{
    struct fixture *f = *state;
    static const struct {
        void (*make)(const char *path);
        enum err_code code;
        const char *words[2];
    } table[] = {
        {make_text, ERR_CORRUPT, {"not a database", "give another path"}},
        {make_foreign, ERR_UNSUPPORTED, {"another program's", "give another path"}},
        {make_other_id, ERR_UNSUPPORTED, {"another program's", "give another path"}},
        {make_newer, ERR_UNSUPPORTED, {"version 4, this one knows 3", "run the newer one"}},
        {make_older, ERR_UNSUPPORTED, {"version 2, this one knows 3", "run the older one"}},
        {make_without_index, ERR_CORRUPT, {"its tables are not", "restore it"}},
        {make_damaged, ERR_CORRUPT, {"damaged", "restore it"}},
        {make_cut, ERR_CORRUPT, {"damaged", "restore it"}},
        {make_folder, ERR_UNAVAILABLE, {"unable to open", "check"}},
        {make_read_only, ERR_UNAVAILABLE, {"cannot be written", "permissions"}},
        {close_folder, ERR_UNAVAILABLE, {"Permission denied", "writable"}},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        table[i].make(f->path);
        struct store store;
        struct err err = {.text = ""};
        EXPECT(!store_open(&store, f->path, &format, &err), "row %zu: was opened", i);
        EXPECT(err.code == table[i].code, "row %zu: %s: %s", i, err_name(err.code), err.text);
        const char *const words[] = {f->path, table[i].words[0], table[i].words[1]};
        for (size_t w = 0; w < COUNT_OF(words); w++)
            EXPECT(strstr(err.text, words[w]) != NULL, "row %zu: no \"%s\": %s", i, words[w],
                   err.text);
        tear_down(state);
        set_up(state);
    }
}

static void a_foreign_file_stays_as_it_was(void **state)
{
    const struct fixture *f = *state;
    make_foreign(f->path);
    struct stat before, after;
    assert_int_equal(stat(f->path, &before), 0);
    struct store store;
    struct err err;
    assert_false(store_open(&store, f->path, &format, &err));
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void a_missing_folder_is_named(void **state)
{
    const struct fixture *f = *state;
    char *path = xasprintf("%s/none/notes.db", f->folder);
    struct store store;
    struct err err = {.text = ""};
    assert_false(store_open(&store, path, &format, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, path) && strstr(err.text, "the directory exists"), "%s", err.text);
    free(path);
}

// --- one process at a time ---
static pid_t hold_in_child(const char *path)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct store store;
        struct err err;
        const bool ok = store_open(&store, path, &format, &err);
        (void)!write(ready[1], &ok, sizeof(ok));
        pause();
        _exit(0);
    }
    bool ok = false;
    assert_int_equal(read(ready[0], &ok, sizeof(ok)), sizeof(ok));
    assert_true(ok);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void a_second_process_is_told_who_holds_the_file_until_that_one_dies(void **state)
{
    const struct fixture *f = *state;
    const pid_t child = hold_in_child(f->path);
    struct store store;
    struct err err = {.text = ""};
    assert_false(store_open(&store, f->path, &format, &err));
    assert_int_equal(err.code, ERR_BUSY);
    char *want = xasprintf("open notes %s: it is held by process %d; stop that one first", f->path,
                           (int)child);
    assert_string_equal(err.text, want);
    free(want);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    open_well(&store, f->path);
    store_close(&store);
}

// --- work ---
static void a_link_to_a_file_that_is_held_is_refused(void **state)
{
    const struct fixture *f = *state;
    struct store holder, store;
    struct err err = {.text = ""};
    char *link = xasprintf("%s-link", f->path);
    open_well(&holder, f->path);
    assert_int_equal(symlink(f->path, link), 0);
    assert_false(store_open(&store, link, &format, &err));
    assert_int_equal(err.code, ERR_BUSY);
    store_close(&holder);
    open_well(&store, link);
    store_close(&store);
    free(link);
}

static void a_reader_sees_what_is_committed_and_cannot_write(void **state)
{
    const struct fixture *f = *state;
    struct store store, reader;
    struct err err = {.text = ""};
    open_well(&store, f->path);
    EXPECT(store_open_reader(&reader, f->path, &err), "%s", err.text);
    run_well(&store, "BEGIN");
    run_well(&store, "INSERT INTO note(text) VALUES('one')");
    assert_int_equal(number(&reader, "SELECT count(*) FROM note"), 0);
    run_well(&store, "COMMIT");
    assert_int_equal(number(&reader, "SELECT count(*) FROM note"), 1);
    assert_false(run(&reader, "INSERT INTO note(text) VALUES('two')", &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    store_close(&reader);
    store_close(&store);
}

static void a_full_disk_is_an_error_that_passes(void **state)
{
    const struct fixture *f = *state;
    struct store store;
    struct err err = {.text = ""};
    open_well(&store, f->path);
    assert_true(number(&store, "PRAGMA max_page_count=4") >= 4);
    assert_false(run(&store, "INSERT INTO note(text) VALUES(hex(zeroblob(20000)))", &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, "full") != NULL && strstr(err.text, f->path), "%s", err.text);
    assert_true(number(&store, "PRAGMA max_page_count=1000") == 1000);
    run_well(&store, "INSERT INTO note(text) VALUES(hex(zeroblob(20000)))");
    store_close(&store);
}

static void a_locked_file_is_unavailable_and_a_broken_constraint_is_corruption(void **state)
{
    const struct fixture *f = *state;
    struct store store;
    struct err err = {.text = ""};
    open_well(&store, f->path);
    run_well(&store, "INSERT INTO note(text) VALUES('once')");
    assert_false(run(&store, "INSERT INTO note(text) VALUES('once')", &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_busy_timeout(store.db, 1);
    assert_false(run(&store, "INSERT INTO note(text) VALUES('twice')", &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    sqlite3_close(other);
    run_well(&store, "INSERT INTO note(text) VALUES('twice')");
    store_close(&store);
}

static void wide_integers_come_back_as_they_went_in(void **state)
{
    const struct fixture *f = *state;
    const __int128 max = (__int128)(((unsigned __int128)1 << 127) - 1);
    const __int128 table[] = {0, 1, -1, 255, 256, INT64_MAX, INT64_MIN, max, -max - 1, max / 3};
    struct store store;
    open_well(&store, f->path);
    sqlite3_stmt *stmt = store_prepare(&store, "SELECT ?1");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        __int128 back = 42;
        struct err err;
        bool row = false;
        store_bind_int128(stmt, 1, table[i]);
        assert_true(store_row(&store, stmt, &row, &err) && row);
        EXPECT(store_column_int128(stmt, 0, &back) && back == table[i], "row %zu", i);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    store_close(&store);
}

static void what_is_no_wide_integer_is_refused(void **state)
{
    const struct fixture *f = *state;
    static const char *const table[] = {
        "SELECT 1",     "SELECT NULL",         "SELECT '0123456789abcdef'",
        "SELECT x'00'", "SELECT zeroblob(15)", "SELECT zeroblob(17)",
    };
    struct store store;
    open_well(&store, f->path);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        sqlite3_stmt *stmt = store_prepare(&store, table[i]);
        __int128 value = 42;
        struct err err;
        bool row = false;
        assert_true(store_row(&store, stmt, &row, &err) && row);
        EXPECT(!store_column_int128(stmt, 0, &value) && value == 42, "%s", table[i]);
        sqlite3_finalize(stmt);
    }
    store_close(&store);
}

int main(void)
{
    if (geteuid() == 0 && seteuid(NOBODY) != 0)
        return 1;
    prctl(PR_SET_DUMPABLE, 1); // the leak checker wants to look at us, after root is back
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_was_stored_is_there_when_opened_again),
        CASE(an_unfinished_file_becomes_one_of_ours),
        CASE(what_is_not_ours_or_not_sound_is_refused_and_the_text_says_what_to_do),
        CASE(a_foreign_file_stays_as_it_was),
        CASE(a_missing_folder_is_named),
        CASE(a_second_process_is_told_who_holds_the_file_until_that_one_dies),
        CASE(a_link_to_a_file_that_is_held_is_refused),
        CASE(a_reader_sees_what_is_committed_and_cannot_write),
        CASE(a_full_disk_is_an_error_that_passes),
        CASE(a_locked_file_is_unavailable_and_a_broken_constraint_is_corruption),
        CASE(wide_integers_come_back_as_they_went_in),
        CASE(what_is_no_wide_integer_is_refused),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return seteuid(getuid()) == 0 ? failed : 1;
}
