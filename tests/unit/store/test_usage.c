// SPDX-License-Identifier: Apache-2.0
#include "store/usage.h"

#include "scratch.h"

static void write_bytes(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL, "cannot write %s", path);
    for (size_t i = 0; i < bytes; i++)
        fputc('x', file);
    assert_int_equal(fclose(file), 0);
}

static void a_file_its_log_and_its_disk_are_measured(void **state)
{
    (void)state;
    char *folder = scratch_create();
    char *path = xasprintf("%s/store.db", folder), *wal = xasprintf("%s-wal", path);
    struct store_usage usage;
    write_bytes(path, 5000);
    assert_true(store_usage(path, &usage));
    assert_int_equal(usage.file_bytes, 5000);
    assert_int_equal(usage.wal_bytes, 0);
    EXPECT(usage.disk_free_bytes > 0 && usage.disk_free_bytes <= usage.disk_size_bytes,
           "%lld bytes free of %lld", (long long)usage.disk_free_bytes,
           (long long)usage.disk_size_bytes);
    write_bytes(wal, 300);
    assert_true(store_usage(path, &usage));
    assert_int_equal(usage.wal_bytes, 300);
    free(path);
    free(wal);
    scratch_remove(folder);
}

static void of_what_is_gone_nobody_can_say(void **state)
{
    (void)state;
    struct store_usage usage;
    assert_false(store_usage("/no/such/folder/store.db", &usage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_its_log_and_its_disk_are_measured),
        cmocka_unit_test(of_what_is_gone_nobody_can_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
