// SPDX-License-Identifier: Apache-2.0
// Only in a build with -Dfaults=true.
#include "base/fault.h"

#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Passes outbox_insert three times and outbox_commit once in a child; answers with its wait status:
// the exit code has a bit for each of the four that reported failure.
static int status_of(const char *plan)
{
    const pid_t child = fork();
    if (child == 0) {
        static const enum fault_step steps[] = {FAULT_outbox_insert, FAULT_outbox_insert,
                                                FAULT_outbox_commit, FAULT_outbox_insert};
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        setenv("ABACUS_FAULT", plan, 1);
        int failed = 0;
        for (size_t i = 0; i < COUNT_OF(steps); i++)
            failed |= fault_here(steps[i]) << i;
        _exit(failed);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void only_the_named_step_fails_and_only_that_time(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        int failed;
    } table[] = {
        {"", 0},
        {"outbox_insert:1:fail", 1},
        {"outbox_insert:2:fail", 2},
        {"outbox_insert:3:fail", 8},
        {"outbox_insert:4:fail", 0},
        {"outbox_commit:1:fail", 4},
        {"ledger_commit:1:fail", 0},
        {"outbox_insert:3:slow", 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const int status = status_of(table[i].plan);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == table[i].failed, "%s: status %d",
               table[i].plan, status);
    }
}

static void a_kill_ends_the_process_at_the_step(void **state)
{
    (void)state;
    const int status = status_of("outbox_insert:3:kill");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_misspelt_plan_ends_the_process(void **state)
{
    (void)state;
    static const char *const table[] = {"outbox_insert",          "outbox_insert:1",
                                        "outbox_insert:x:fail",   "outbox_insert:1:explode",
                                        "outbox_inserted:1:fail", ":1:fail"};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const int status = status_of(table[i]);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: status %d", table[i],
               status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_named_step_fails_and_only_that_time),
        cmocka_unit_test(a_kill_ends_the_process_at_the_step),
        cmocka_unit_test(a_misspelt_plan_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
