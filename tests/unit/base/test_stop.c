// SPDX-License-Identifier: Apache-2.0
// The stop flag is one for the process, so each case runs in a child of its own.
#include "base/stop.h"

#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int exit_code_of(void (*body)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stop_init();
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status), "the child was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static bool readable(void)
{
    struct pollfd poll_fd = {.fd = stop_fd(), .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void quiet_until_asked(void)
{
    if (stop_requested() || readable() || stop_wait(0))
        _exit(1);
    stop_request();
    stop_request(); // asking twice from inside does not end the process
    if (!stop_requested() || !readable() || !stop_wait(-1))
        _exit(2);
}

static void one_signal(void)
{
    raise(SIGPIPE);
    if (stop_requested())
        _exit(1);
    raise(SIGINT);
    if (!stop_wait(-1))
        _exit(2);
}

static void two_signals(void)
{
    raise(SIGTERM);
    raise(SIGTERM);
}

static void a_request_is_seen_by_flag_and_descriptor(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(quiet_until_asked), 0);
}

static void hang(void)
{
    stop_limit(20);
    for (;;)
        pause();
}

static void a_graceful_end_that_hangs_is_ended_at_its_limit(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(hang), 130);
}

static void the_first_signal_asks_for_a_graceful_end(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(one_signal), 0);
}

static void the_second_signal_ends_at_once(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(two_signals), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_seen_by_flag_and_descriptor),
        cmocka_unit_test(the_first_signal_asks_for_a_graceful_end),
        cmocka_unit_test(the_second_signal_ends_at_once),
        cmocka_unit_test(a_graceful_end_that_hangs_is_ended_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
