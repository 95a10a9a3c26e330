// SPDX-License-Identifier: Apache-2.0
// The ledger against its file: rows that somebody else changed, files that contradict themselves, a
// disk that is full.
#include "totals/ledger.h"

#include "ledger_rig.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define TWELVE "x'0000000000000000000000000000000c'" // 128 bits

static void check_conflict(struct rig *rig, struct ledger_entry *batch, size_t n)
{
    struct err err = {.text = ""};
    char *before = rig_describe(rig);
    assert_false(ledger_stage(rig->ledger, batch, n, &err));
    EXPECT(err.code == ERR_CONFLICT, "%s", err.text);
    rig_check_same(rig, before);
    free(before);
}

static void a_partition_that_has_another_owner_cannot_be_moved(void **state)
{
    struct rig *rig = *state;
    rig_commit_one(rig, rig_event(0, 0, 1, 1, 5));
    // The other owner applied sequence 2 from offset 1.
    rig_alter(rig, "UPDATE partition SET next_offset = 2;"
                   "UPDATE source SET highest = 2, count = 2, sum = " TWELVE ";"
                   "UPDATE ledger SET version = 2");
    struct ledger_entry batch[] = {rig_event(0, 1, 1, 2, 7)};
    check_conflict(rig, batch, COUNT_OF(batch));
    struct err err;
    assert_false(ledger_stage(rig->ledger, batch, 1, &err)); // staging again is not asking
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(rig_offset(rig, 0), 2);
    assert_int_equal(rig_total(rig).count, 2); // and the rest was read with it
    assert_true(rig_total(rig).sum == 12);
    struct ledger_entry next[] = {rig_event(0, 2, 1, 2, 7), rig_event(0, 3, 1, 3, 1)};
    rig_commit(rig, next, COUNT_OF(next));
    assert_int_equal(next[0].verdict, APPLY_DUPLICATE);
    assert_true(rig_total(rig).sum == 13);
}

static void a_partition_that_somebody_else_began_cannot_be_begun(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_offset(rig, 5), -1);
    rig_alter(rig, "INSERT INTO partition VALUES (5, 100, 3)");
    struct ledger_entry batch[] = {rig_event(5, 0, 1, 1, 5)};
    check_conflict(rig, batch, COUNT_OF(batch));
    assert_int_equal(rig_offset(rig, 5), 100);
    assert_int_equal(rig_total(rig).dead_letters, 3);
    rig_commit_one(rig, rig_event(5, 100, 1, 1, 5));
}

static void one_lost_partition_fails_the_whole_batch(void **state)
{
    struct rig *rig = *state;
    struct ledger_entry batch[] = {rig_event(0, 0, 1, 1, 5), rig_event(1, 0, 2, 1, 5)};
    rig_commit(rig, batch, COUNT_OF(batch));
    rig_alter(rig, "UPDATE partition SET next_offset = 0 WHERE partition = 1"); // down counts too
    struct ledger_entry next[] = {rig_event(0, 1, 1, 2, 5), rig_event(1, 1, 2, 2, 5)};
    check_conflict(rig, next, COUNT_OF(next));
    rig_commit(rig, next, 1); // the partition that is still ours goes on
    assert_int_equal(rig_offset(rig, 1), 0);
}

static void sources_that_somebody_else_moved_are_read_again_before_anything_is_counted(void **state)
{
    struct rig *rig = *state;
    rig_commit_one(rig, rig_event(0, 0, 1, 1, 5));
    // Another owner of partition 1 applied sequence 2 from there; partition 0 is untouched.
    rig_alter(rig, "INSERT INTO partition VALUES (1, 1, 0);"
                   "UPDATE source SET highest = 2, count = 2, sum = " TWELVE ";"
                   "UPDATE ledger SET version = 2");
    struct ledger_entry batch[] = {rig_event(0, 1, 1, 2, 7)};
    check_conflict(rig, batch, COUNT_OF(batch));
    assert_int_equal(rig_offset(rig, 0), 1);
    rig_commit(rig, batch, COUNT_OF(batch));
    assert_int_equal(batch[0].verdict, APPLY_DUPLICATE);
    assert_true(rig_total(rig).sum == 12);
}

// Tampers with the file, looks, and puts the good one back.
static void check_corrupt(struct rig *rig, const char *sql)
{
    struct err err = {.text = ""};
    char *copy = xasprintf("%s/copy.db", rig->folder);
    char *make_copy = xasprintf("VACUUM INTO '%s'", copy);
    rig_alter(rig, make_copy);
    rig_alter(rig, sql);
    EXPECT(!ledger_open(&rig->ledger, rig->path, &err), "%s: opened", sql);
    EXPECT(err.code == ERR_CORRUPT, "%s: %s", sql, err.text);
    assert_int_equal(rename(copy, rig->path), 0);
    free(make_copy);
    free(copy);
}

static void whoever_asks_for_an_offset_hears_of_another_owner(void **state)
{
    struct rig *rig = *state;
    int changes = 0;
    ledger_on_change(rig->ledger, rig_count_changes, &changes);
    rig_alter(rig, "INSERT INTO partition VALUES (0, 7, 2); UPDATE ledger SET version = 1");
    assert_int_equal(rig_offset(rig, 0), 7);
    assert_int_equal(rig_total(rig).dead_letters, 2);
    assert_int_equal(changes, 1);
    rig_commit_one(rig, rig_event(0, 7, 1, 1, 5));
    assert_int_equal(rig_total(rig).version, 2);
}

static void a_file_that_contradicts_itself_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const table[] = {
        "UPDATE source SET count = count + 1",
        "UPDATE source SET highest = highest + 1",
        "UPDATE source SET highest = -4, count = -5",
        "UPDATE source SET sum = x'00'",
        "UPDATE source SET sum = x'7fffffffffffffffffffffffffffffff'",
        "UPDATE source SET sum = x'80000000000000000000000000000000'",
        "UPDATE source SET duplicates = -1",
        "UPDATE source SET duplicates = 9223372036854775807",
        "UPDATE source SET source = 'nobody'",
        "INSERT INTO source SELECT upper(source), 0, 1, 1, sum, 0, 0, 0 FROM source",
        "DELETE FROM source",
        "DELETE FROM missing",
        "UPDATE missing SET first = 0",
        "UPDATE missing SET last = 4",
        "INSERT INTO missing SELECT source, 1, 1 FROM source",
        "UPDATE missing SET source = 'nobody'",
        "UPDATE partition SET next_offset = -1",
        "UPDATE partition SET dead_letters = -1",
        "UPDATE ledger SET id = 'nobody'",
        "DELETE FROM ledger",
    };
    struct ledger_entry batch[] = {rig_event(0, 0, 0xab, 1, 5), rig_event(0, 1, 0xab, 4, 5)};
    rig_commit(rig, batch, COUNT_OF(batch));
    char *before = rig_describe(rig);
    ledger_close(rig->ledger);
    rig->ledger = NULL;
    for (size_t i = 0; i < COUNT_OF(table); i++)
        check_corrupt(rig, table[i]);
    rig_open(rig); // each restored copy is a good file
    rig_check_same(rig, before);
    free(before);
}

// --- a full disk: the file may not grow any more ---

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static rlim_t wal_bytes(const struct rig *rig)
{
    char *name = xasprintf("%s-wal", rig->path);
    struct stat info;
    assert_int_equal(stat(name, &info), 0);
    free(name);
    return (rlim_t)info.st_size;
}

// Enough rows to need more than the last page of the WAL.
static void fill(struct ledger_entry *batch, size_t n, int64_t offset)
{
    for (size_t i = 0; i < n; i++)
        batch[i] = rig_event(0, offset + (int64_t)i, (int)i, 1, 5);
}

static void a_full_disk_loses_nothing_and_the_batch_goes_in_later(void **state)
{
    struct rig *rig = *state;
    static struct ledger_entry batch[2000];
    rig_commit_one(rig, rig_event(0, 0, 9999, 1, 5));
    fill(batch, COUNT_OF(batch), 1);
    char *before = rig_describe(rig);
    signal(SIGXFSZ, SIG_IGN);
    set_file_limit(wal_bytes(rig));
    bool ok[3];
    struct err err[3] = {0};
    for (size_t i = 0; i < COUNT_OF(ok); i++)
        ok[i] = ledger_stage(rig->ledger, batch, COUNT_OF(batch), &err[i]) &&
                ledger_commit(rig->ledger, &err[i]);
    set_file_limit(RLIM_INFINITY);
    for (size_t i = 0; i < COUNT_OF(ok); i++) {
        EXPECT(!ok[i], "try %zu went through", i);
        EXPECT(err[i].code == ERR_UNAVAILABLE, "%s: %s", err_name(err[i].code), err[i].text);
    }
    rig_check_same(rig, before);
    rig_commit(rig, batch, COUNT_OF(batch));
    rig_reopen(rig);
    assert_int_equal(rig_total(rig).count, 1 + COUNT_OF(batch));
    assert_int_equal(rig_offset(rig, 0), 1 + COUNT_OF(batch));
    free(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_partition_that_has_another_owner_cannot_be_moved),
        TEST(a_partition_that_somebody_else_began_cannot_be_begun),
        TEST(one_lost_partition_fails_the_whole_batch),
        TEST(sources_that_somebody_else_moved_are_read_again_before_anything_is_counted),
        TEST(whoever_asks_for_an_offset_hears_of_another_owner),
        TEST(a_file_that_contradicts_itself_is_refused),
        TEST(a_full_disk_loses_nothing_and_the_batch_goes_in_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
