// SPDX-License-Identifier: Apache-2.0
// What if the process dies right here? At each step of the outbox, each time it is reached, a child
// is killed, and what it left behind must keep the promises. Only with -Dfaults=true.
#include "base/fault.h"
#include "outbox_fixture.h"

#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>

#define BATCHES    5
#define BATCH_ROWS 3

// What a child told before it ended.
struct report {
    int answered_batches;
    int64_t published; // the highest it may have set
};

static bool append_batch(struct outbox *outbox, int batch, enum add_outcome outcomes[BATCH_ROWS])
{
    struct add adds[BATCH_ROWS];
    struct err err;
    for (int i = 0; i < BATCH_ROWS; i++)
        adds[i] = add_of((char)(1 + batch * BATCH_ROWS + i), batch, i);
    if (!append(outbox, adds, BATCH_ROWS, &err))
        return false;
    for (int i = 0; i < BATCH_ROWS; i++)
        outcomes[i] = adds[i].outcome;
    return true;
}

static void tell(int fd, struct report report)
{
    if (write(fd, &report, sizeof(report)) != sizeof(report))
        _exit(1);
}

// Repeats what failed once; ends without closing anything.
static void work_in_child(const struct fixture *f, const char *plan, int fd)
{
    struct report report = {0};
    struct outbox *outbox;
    struct err err;
    bool more;
    enum add_outcome outcomes[BATCH_ROWS];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("ABACUS_FAULT", plan, 1);
    if (!outbox_open(&outbox, &f->config, &err))
        _exit(1);
    for (int batch = 0; batch < BATCHES; batch++) {
        if (!append_batch(outbox, batch, outcomes) && !append_batch(outbox, batch, outcomes))
            _exit(1);
        report.answered_batches++;
        report.published = stats_of(outbox).appended - 1;
        tell(fd, report);
        outbox_published_set(outbox, report.published);
        for (int i = 0; i < 2; i++) // the second finds nothing else to do, and makes it durable
            (void)!outbox_tend(outbox, &more, &err);
    }
    _exit(0);
}

// The wait status of the child.
static int run_child(const struct fixture *f, const char *plan, struct report *report)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0)
        work_in_child(f, plan, ends[1]);
    close(ends[1]);
    *report = (struct report){0};
    struct report told;
    while (read(ends[0], &told, sizeof(told)) == sizeof(told))
        *report = told;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

// The client repeats all it asked for: what was answered is there already, nothing twice.
static void expect_nothing_lost_or_doubled(struct fixture *f, struct report report)
{
    enum add_outcome outcomes[BATCH_ROWS];
    fixture_open(f);
    const struct outbox_stats stats = stats_of(f->outbox);
    assert_true(stats.appended >= report.answered_batches * BATCH_ROWS);
    assert_true(stats.published <= report.published);
    expect_promises(f);
    for (int batch = 0; batch < BATCHES; batch++) {
        assert_true(append_batch(f->outbox, batch, outcomes));
        for (int i = 0; i < BATCH_ROWS; i++)
            assert_true(batch >= report.answered_batches || outcomes[i] == ADD_REPEATED);
    }
    assert_int_equal(stats_of(f->outbox).appended, BATCHES * BATCH_ROWS);
    expect_promises(f);
    fixture_close(f);
    unlink(f->path);
}

static const char *const steps[] = {"outbox_insert", "outbox_commit", "outbox_durable",
                                    "outbox_publish"};

static void a_process_killed_at_any_step_leaves_the_promises_kept(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        int status = 0;
        int at = 0;
        do {
            char *plan = xasprintf("%s:%d:kill", steps[i], ++at);
            struct report report;
            status = run_child(f, plan, &report);
            EXPECT(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0,
                   "%s: status %d", plan, status);
            expect_nothing_lost_or_doubled(f, report);
            free(plan);
        } while (WIFSIGNALED(status));
        EXPECT(at > BATCHES, "%s was reached only %d times", steps[i], at - 1);
    }
}

static void an_operation_that_fails_at_any_step_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (int at = 1; at <= 2 * BATCHES; at++) {
            char *plan = xasprintf("%s:%d:fail", steps[i], at);
            struct report report;
            const int status = run_child(f, plan, &report);
            EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %d", plan, status);
            assert_int_equal(report.answered_batches, BATCHES);
            expect_nothing_lost_or_doubled(f, report);
            free(plan);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_process_killed_at_any_step_leaves_the_promises_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_operation_that_fails_at_any_step_can_be_repeated, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
