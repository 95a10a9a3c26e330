// SPDX-License-Identifier: Apache-2.0
// The limit is the process's, so each row runs in a child of its own.
#include "base/descriptors.h"

#include "unit.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct row {
    rlim_t soft, hard;
    int64_t wanted, allowed;
    rlim_t soft_after;
};

static int exit_code_of(const struct row *row)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {row->soft, row->hard};
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(1);
        if (descriptors_allow(row->wanted) != row->allowed)
            _exit(2);
        _exit(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == row->soft_after ? 0 : 3);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status), "the child was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static void connections_never_take_what_the_rest_needs(void **state)
{
    (void)state;
    static const struct row table[] = {
        {100, 2000, 1000, 1000, 2000}, // raised, and enough
        {100, 1256, 1000, 1000, 1256},  {100, 1255, 1000, 999, 1255},
        {1000, 1000, 10000, 744, 1000}, {64, 64, 10000, 1, 64}, // too few for anything
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        EXPECT(exit_code_of(&table[i]) == 0, "row %zu: exit code %d", i, exit_code_of(&table[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_never_take_what_the_rest_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
