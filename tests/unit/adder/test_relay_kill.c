// SPDX-License-Identifier: Apache-2.0
// What if the process dies right here, or the step fails? At each step of the relay, a few times it
// is reached, in a process of its own; the next one must make up for it. Only with -Dfaults=true.
#include "relay_fixture.h"

#include "adder/publisher.h"

#include <spawn.h>
#include <sys/wait.h>

#define ROWS (PUBLISHER_WINDOW + 1000) // more than can be acknowledged at once

extern char **environ;
static const char *program;

// Publishes all there is.
static int publish(const char *path, const char *brokers)
{
    const struct outbox_config outbox_config = {path, KEEP_ALL, KEEP_ALL};
    const struct relay_config config = {.kafka = {brokers, NULL}, .topic = topic};
    struct outbox *outbox;
    struct relay *relay;
    struct err err;
    if (!outbox_open(&outbox, &outbox_config, &err) ||
        !relay_create(&relay, &config, outbox, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const bool all = relay_stop(relay, WAIT_MS);
    relay_destroy(relay);
    outbox_close(outbox);
    return all ? 0 : 1;
}

// The wait status of a process that publishes under that plan.
static int run(struct setup *s, const char *plan)
{
    char *const arguments[] = {(char *)(uintptr_t)program, s->f->path,
                               (char *)(uintptr_t)rd_kafka_mock_cluster_bootstraps(s->cluster),
                               NULL};
    pid_t child;
    int status;
    fixture_close(s->f); // one process holds an outbox at a time
    setenv("ABACUS_FAULT", plan, 1);
    assert_int_equal(posix_spawn(&child, program, NULL, NULL, arguments, environ), 0);
    unsetenv("ABACUS_FAULT");
    assert_int_equal(waitpid(child, &status, 0), child);
    fixture_open(s->f);
    return status;
}

static void a_step_that_fails_or_kills_makes_no_hole(void **state)
{
    struct setup *s = *state;
    static const char *const steps[] = {"relay_read", "relay_produce", "relay_ack"};
    int64_t rows = 0;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (int count = 1; count <= 4; count++) {
            const bool kills = count % 2 == 0;
            char plan[64];
            snprintf(plan, sizeof(plan), "%s:%d:%s", steps[i], (count + 1) / 2,
                     kills ? "kill" : "fail");
            add_rows(s, ROWS);
            rows += ROWS;
            const int status = run(s, plan);
            EXPECT(kills == WIFSIGNALED(status), "%s: status %d", plan, status);
            EXPECT(kills || stats_of(s->f->outbox).published == rows, "%s: not all is published",
                   plan);
        }
    }
    assert_int_equal(run(s, ""), 0);
    assert_int_equal(stats_of(s->f->outbox).published, rows);
    expect_all_in_order(s, rows);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return publish(argv[1], argv[2]);
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_that_fails_or_kills_makes_no_hole, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
