// SPDX-License-Identifier: Apache-2.0
#include "base/stop.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#define EXIT_FORCED 130

static struct {
    int fd;
    _Atomic bool requested; // stored before fd becomes readable
} stop = {.fd = -1};

void stop_request(void)
{
    if (!atomic_exchange(&stop.requested, true)) {
        const uint64_t one = 1;
        if (write(stop.fd, &one, sizeof(one)) < 0)
            _exit(EXIT_FORCED); // nobody could be told to stop
    }
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    if (atomic_load(&stop.requested))
        _exit(EXIT_FORCED);
    stop_request();
}

void stop_init(void)
{
    stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK_INT(stop.fd, >=, 0);
    const struct sigaction graceful = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &graceful, NULL);
    sigaction(SIGINT, &graceful, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static void on_limit(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_FORCED);
}

void stop_limit(int64_t ms)
{
    CHECK_INT(ms, >=, 1); // 0 would be no limit at all
    const struct sigaction end = {.sa_handler = on_limit};
    const struct itimerval timer = {.it_value = {ms / 1000, ms % 1000 * 1000}};
    CHECK_INT(sigaction(SIGALRM, &end, NULL), ==, 0);
    CHECK_INT(setitimer(ITIMER_REAL, &timer, NULL), ==, 0);
}

bool stop_requested(void)
{
    return atomic_load(&stop.requested);
}

int stop_fd(void)
{
    return stop.fd;
}

bool stop_wait(int timeout_ms)
{
    struct pollfd wait = {.fd = stop.fd, .events = POLLIN};
    (void)poll(&wait, 1, timeout_ms);
    return stop_requested();
}
