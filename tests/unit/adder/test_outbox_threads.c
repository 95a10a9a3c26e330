// SPDX-License-Identifier: Apache-2.0
// The outbox as the adder uses it: a writer, a relay, and others who look. For TSan too.
#include "outbox_fixture.h"
#include "random.h"

#include <pthread.h>
#include <sys/stat.h>

#define ROWS          20000
#define WAL_BYTES_MAX (16 << 20)
#define REWINDS       20

static uint64_t seed;

static void *write_rows(void *arg)
{
    struct fixture *f = arg;
    bool more;
    struct err err;
    for (int64_t left = ROWS; left > 0;) {
        const int64_t n = 1 + random_below(&seed, left < 200 ? left : 200);
        append_rows(f->outbox, (size_t)n, clock_unix_us());
        left -= n;
        EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text);
    }
    return NULL;
}

// Acknowledges what it reads; now and then somebody wants a replay.
static void *relay(void *arg)
{
    struct fixture *f = arg;
    static struct event events[100];
    struct err err;
    int rewinds = 0;
    for (int64_t after = 0; after < ROWS;) {
        size_t n;
        EXPECT(outbox_read(f->reader, after, events, COUNT_OF(events), &n, &err), "%s", err.text);
        after += (int64_t)n;
        outbox_published_set(f->outbox, after);
        if (after > 50 && rewinds < REWINDS && after > rewinds * ROWS / REWINDS) {
            after -= 50;
            EXPECT(outbox_rewind(f->outbox, after + 1, &err), "%s", err.text);
            rewinds++;
        }
    }
    return NULL;
}

static void *look(void *arg)
{
    struct fixture *f = arg;
    int64_t seen = 0;
    while (seen < ROWS) {
        const struct outbox_stats stats = stats_of(f->outbox);
        assert_true(stats.appended >= seen);
        assert_true(stats.sum == stats.appended * 3); // of one moment
        assert_true(stats.published <= stats.appended);
        seen = stats.appended;
    }
    return NULL;
}

static void everybody_works_at_once(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    static void *(*const bodies[])(void *) = {write_rows, relay, look, look};
    pthread_t threads[COUNT_OF(bodies)];
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bodies[i], f), 0);
    struct err err = {.text = ""};
    EXPECT(outbox_partition_set(f->outbox, 3, &err), "%s", err.text);
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(stats_of(f->outbox).published, ROWS);
    assert_int_equal(stats_of(f->outbox).partition, 3);
    expect_promises(f);
    char *wal = xasprintf("%s-wal", f->path);
    struct stat info;
    assert_int_equal(stat(wal, &info), 0);
    EXPECT(info.st_size <= WAL_BYTES_MAX, "the WAL has %ld bytes", (long)info.st_size);
    free(wal);
}

int main(int argc, char **argv)
{
    seed = random_seed(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everybody_works_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
