// SPDX-License-Identifier: Apache-2.0
// The outbox on a disk that is full, breaks, or holds the wrong file. The C library's write and
// sync calls are replaced by our own, which fail when a test wants them to; so is fstatvfs, which
// can say that little is left.
#include "outbox_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// --- the disk ---
enum call { CALL_WRITE, CALL_SYNC };

static struct disk {
    enum call broken;
    int error;       // errno, 0: the disk is well
    int64_t at;      // the first call of that kind that fails; the later ones do too
    int64_t reached; // calls of that kind so far
    int64_t free_bytes;
} disk;

#define PLENTY_BYTES (INT64_C(1) << 40)

static bool fails(enum call call)
{
    if (disk.error == 0 || call != disk.broken || ++disk.reached < disk.at)
        return false;
    errno = disk.error;
    return true;
}

// SQLite's calls arrive here, since a program's symbols come before those of its libraries.
ssize_t pwrite64(int fd, const void *buffer, size_t bytes, off64_t at)
{
    return fails(CALL_WRITE) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, buffer, bytes, at);
}

int fdatasync(int fd)
{
    return fails(CALL_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fstatvfs(int fd, struct statvfs *out)
{
    (void)fd;
    *out = (struct statvfs){.f_frsize = 1, .f_bavail = (fsblkcnt_t)disk.free_bytes};
    return 0;
}

static void heal(void)
{
    disk.error = 0;
    disk.free_bytes = PLENTY_BYTES;
}

static int set_up_disk(void **state)
{
    heal();
    return set_up(state);
}

// --- it breaks at every place ---
#define BATCHES    6
#define BATCH_ROWS 3

// A client that repeats what was not answered, with the same ids.
static void append_until_answered(struct fixture *f, int batch, bool *failed)
{
    struct add adds[BATCH_ROWS];
    struct err err = {.text = ""};
    for (int try = 0; try < 2; try++) {
        for (int i = 0; i < BATCH_ROWS; i++)
            adds[i] = add_of((char)(1 + batch * BATCH_ROWS + i), batch, i);
        const int64_t before = stats_of(f->outbox).appended;
        if (append(f->outbox, adds, BATCH_ROWS, &err))
            return;
        *failed = true;
        const bool full = disk.error == ENOSPC;
        EXPECT(err.code == ERR_UNAVAILABLE || (!full && err.code == ERR_UNKNOWN), "%s: %s",
               err_name(err.code), err.text);
        EXPECT(strstr(err.text, f->path) != NULL, "%s", err.text);
        EXPECT(!full || strstr(err.text, "full") != NULL, "%s", err.text);
        assert_int_equal(stats_of(f->outbox).appended, before);
        heal();
    }
    fail_msg("batch %d failed on a disk that is well: %s", batch, err.text);
}

// True: the fault was hit, so a later one is worth trying.
static bool breaks_at(struct fixture *f, enum call call, int error, int64_t at)
{
    bool failed = false, more;
    struct err err = {.text = ""};
    f->config.retention_rows = KEEP_ALL;
    fixture_open(f);
    disk = (struct disk){call, error, .at = at, .free_bytes = PLENTY_BYTES};
    for (int batch = 0; batch < BATCHES; batch++) {
        append_until_answered(f, batch, &failed);
        if (batch % 2 == 0)
            outbox_published_set(f->outbox, stats_of(f->outbox).appended - 1);
        else if (!outbox_tend(f->outbox, &more, &err))
            failed = true; // and the next append must recover by itself
    }
    failed |= disk.error != 0 && disk.reached >= disk.at; // in a checkpoint: no harm
    heal();
    EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text);
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(stats_of(f->outbox).appended, BATCHES * BATCH_ROWS);
        expect_promises(f);
        fixture_restart(f);
    }
    fixture_close(f);
    unlink(f->path);
    return failed;
}

static void whatever_write_or_sync_fails_nothing_is_lost_or_doubled(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum call call;
        int error;
    } table[] = {{CALL_WRITE, ENOSPC}, {CALL_WRITE, EIO}, {CALL_SYNC, EIO}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t at = 1;
        while (breaks_at(f, table[i].call, table[i].error, at))
            at++;
        EXPECT(at > BATCHES, "row %zu: only %" PRId64 " calls could fail", i, at - 1);
    }
}

static void a_full_disk_refuses_until_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    bool more;
    fixture_open(f);
    append_rows(f->outbox, 5, clock_unix_us());
    outbox_published_set(f->outbox, 3);
    tend_all(f->outbox);
    disk = (struct disk){CALL_WRITE, ENOSPC, .at = 1, .free_bytes = PLENTY_BYTES};
    for (int i = 0; i < 3; i++) {
        struct add add = add_of('A', 1, 2);
        assert_false(append(f->outbox, &add, 1, &err));
        assert_int_equal(err.code, ERR_UNAVAILABLE);
        assert_false(outbox_tend(f->outbox, &more, &err)); // it tries, rather than say all is well
        assert_false(outbox_partition_set(f->outbox, 1, &err));
        assert_false(outbox_rewind(f->outbox, 1, &err));
        expect_promises(f);
    }
    heal();
    EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text);
    struct add add = add_of('A', 1, 2);
    assert_true(append(f->outbox, &add, 1, &err));
    assert_int_equal(add.outcome, ADD_APPENDED);
    assert_int_equal(add.sequence, 6);
    assert_int_equal(stats_of(f->outbox).partition, -1);
    assert_int_equal(stats_of(f->outbox).published, 3);
    expect_promises(f);
}

static void a_failed_tidying_up_is_not_asked_for_again_at_once(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    bool more;
    f->config.retention_rows = 0;
    fixture_open(f);
    append_rows(f->outbox, 10000, clock_unix_us());
    outbox_published_set(f->outbox, 10000);
    disk = (struct disk){CALL_WRITE, ENOSPC, .at = 1, .free_bytes = PLENTY_BYTES};
    assert_false(outbox_tend(f->outbox, &more, &err));
    assert_false(more);
    heal();
    EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text);
    assert_true(more);
}

// Removing rows writes before it frees: on a disk that adds have filled to the brim it would fail
// for ever, although Kafka has taken all.
static void the_last_of_the_disk_is_kept_for_removing_rows(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    struct add add = add_of(' ', 1, 2);
    bool more;
    f->config.retention_rows = 0;
    fixture_open(f);
    append_rows(f->outbox, 20000, clock_unix_us());
    disk.free_bytes = OUTBOX_RESERVE_BYTES - 100000;
    assert_false(append(f->outbox, &add, 1, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, "disk") != NULL, "%s", err.text);
    assert_false(outbox_tend(f->outbox, &more, &err)); // readiness stays false
    assert_false(more);
    outbox_published_set(f->outbox, 20000);
    do
        (void)!outbox_tend(f->outbox, &more, &err);
    while (more);
    EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text); // pages of the file are free now
    EXPECT(append(f->outbox, &add, 1, &err), "%s", err.text);
    assert_int_equal(add.sequence, 20001);
}

// Appends A in a child that then dies; the exit code is 0 when it heard "unknown".
static void append_without_sync(const struct fixture *f)
{
    struct outbox *outbox;
    struct err err;
    struct add add = add_of('A', 1, 2);
    if (!outbox_open(&outbox, &f->config, &err))
        _exit(1);
    append_rows(outbox, 2, clock_unix_us());
    disk = (struct disk){CALL_SYNC, EIO, .at = 1, .free_bytes = PLENTY_BYTES};
    _exit(append(outbox, &add, 1, &err) || err.code != ERR_UNKNOWN ? 1 : 0);
}

// The commit reached the file, though its sync failed: whoever opens the file next finds it.
static void a_failed_sync_says_unknown_and_the_row_may_be_found_later(void **state)
{
    struct fixture *f = *state;
    int status;
    const pid_t child = fork();
    if (child == 0)
        append_without_sync(f);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_open(f);
    assert_int_equal(stats_of(f->outbox).appended, 3);
    expect_promises(f);
    struct add add = add_of('A', 1, 2);
    struct err err;
    assert_true(append(f->outbox, &add, 1, &err));
    assert_int_equal(add.outcome, ADD_REPEATED);
    assert_int_equal(add.sequence, 3);
}

static void a_file_that_went_back_is_not_written_to(void **state)
{
    struct fixture *f = *state;
    struct err err = {.text = ""};
    fixture_open(f);
    append_rows(f->outbox, 5, clock_unix_us());
    ask_file(f->path, "DELETE FROM outbox WHERE sequence = 5");
    ask_file(f->path, "UPDATE source SET appended = 4");
    disk = (struct disk){CALL_WRITE, EIO, .at = 1, .free_bytes = PLENTY_BYTES};
    struct add add = add_of(' ', 1, 2);
    assert_false(append(f->outbox, &add, 1, &err));
    heal();
    assert_false(append(f->outbox, &add, 1, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    EXPECT(strstr(err.text, "not the file it was") != NULL, "%s", err.text);
}

// --- the wrong file ---
static void a_file_that_contradicts_itself_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const table[] = {
        "DELETE FROM source",
        "UPDATE source SET id = 'somebody'",
        "UPDATE source SET published = 11",
        "UPDATE source SET published = -1",
        "UPDATE source SET appended = 9",
        "UPDATE source SET appended = 11",
        "UPDATE source SET appended = -1, published = -1",
        "UPDATE source SET partition = -2",
        "UPDATE source SET partition = 2147483648",
        "UPDATE source SET sum = x'00'",
        "DELETE FROM outbox WHERE sequence = 10",
        "DELETE FROM outbox WHERE sequence <= 6", // 6 is not published
        "DELETE FROM outbox",
        "INSERT INTO outbox(sequence, a, b, accepted_unix_us) VALUES(11, 1, 1, 1)",
        "INSERT INTO outbox(sequence, a, b, accepted_unix_us) VALUES(0, 1, 1, 1)",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        fixture_open(f);
        append_rows(f->outbox, 10, clock_unix_us());
        outbox_published_set(f->outbox, 5);
        fixture_close(f);
        ask_file(f->path, table[i]);
        struct err err = {.text = ""};
        EXPECT(!outbox_open(&f->outbox, &f->config, &err), "%s: was opened", table[i]);
        EXPECT(err.code == ERR_CORRUPT, "%s: %s", table[i], err_name(err.code));
        EXPECT(strstr(err.text, "open outbox") && strstr(err.text, f->path) &&
                   strstr(err.text, "restore it"),
               "%s: %s", table[i], err.text);
        f->outbox = NULL;
        unlink(f->path);
    }
}

static void damaged_bytes_are_an_error_and_never_an_abort(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    append_rows(f->outbox, 3000, clock_unix_us());
    fixture_close(f);
    const int fd = open(f->path, O_RDWR);
    const off_t size = lseek(fd, 0, SEEK_END);
    int refused = 0;
    for (off_t at = 100; at < size; at += 997) {
        uint8_t byte, flipped;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = byte ^ 0xff;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        struct err err = {.text = ""};
        if (outbox_open(&f->outbox, &f->config, &err)) { // a number inside a row: nobody can tell
            struct add add = add_of('A', 1, 2);
            (void)!append(f->outbox, &add, 1, &err);
            fixture_close(f);
        } else {
            refused++;
            EXPECT(err.code == ERR_CORRUPT, "byte %ld: %s", (long)at, err.text);
        }
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        f->outbox = NULL;
    }
    close(fd);
    assert_true(refused > 0);
}

static void a_second_process_is_told_who_holds_the_outbox(void **state)
{
    struct fixture *f = *state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct err err;
        const bool ok = outbox_open(&f->outbox, &f->config, &err);
        (void)!write(ready[1], &ok, sizeof(ok));
        pause();
        _exit(0);
    }
    bool ok = false;
    assert_int_equal(read(ready[0], &ok, sizeof(ok)), sizeof(ok));
    assert_true(ok);
    struct err err = {.text = ""};
    assert_false(outbox_open(&f->outbox, &f->config, &err));
    f->outbox = NULL;
    assert_int_equal(err.code, ERR_BUSY);
    char *want = xasprintf("open outbox %s: it is held by process %d; stop that one first", f->path,
                           (int)child);
    assert_string_equal(err.text, want);
    free(want);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    fixture_open(f);
    expect_promises(f);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_disk, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(whatever_write_or_sync_fails_nothing_is_lost_or_doubled),
        CASE(a_full_disk_refuses_until_there_is_room),
        CASE(a_failed_tidying_up_is_not_asked_for_again_at_once),
        CASE(the_last_of_the_disk_is_kept_for_removing_rows),
        CASE(a_failed_sync_says_unknown_and_the_row_may_be_found_later),
        CASE(a_file_that_went_back_is_not_written_to),
        CASE(a_file_that_contradicts_itself_is_refused),
        CASE(damaged_bytes_are_an_error_and_never_an_abort),
        CASE(a_second_process_is_told_who_holds_the_outbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
