// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#ifdef ABACUS_FAULTS

#include "base/int128.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_MS 100

static const char *const names[] = {
#define FAULT_NAME(name) #name,
    FAULT_STEPS(FAULT_NAME)
#undef FAULT_NAME
};

// How often the step of the plan was reached; the environment names one step only.
static _Atomic int64_t reached_count;

struct plan {
    const char *step, *action;
    size_t step_length;
    int64_t at_count;
};

// A test that misspells its plan would pass without having tested anything, hence the abort.
static struct plan plan_of(const char *text)
{
    const char *first = strchr(text, ':'), *last = strrchr(text, ':');
    CHECK(first != NULL && last != first); // ABACUS_FAULT is not step:count:action
    struct plan plan = {.step = text, .action = last + 1, .step_length = (size_t)(first - text)};
    CHECK(int64_parse(first + 1, (size_t)(last - first - 1), &plan.at_count));
    CHECK(strcmp(plan.action, "kill") == 0 || strcmp(plan.action, "fail") == 0 ||
          strcmp(plan.action, "slow") == 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strlen(names[i]) == plan.step_length && strncmp(names[i], text, plan.step_length) == 0)
            return plan;
    }
    check_failed(__FILE__, __LINE__, "ABACUS_FAULT names a step");
}

// Reads the environment each time: a test's child sets it after the fork.
bool fault_here(enum fault_step step)
{
    const char *text = getenv("ABACUS_FAULT");
    if (text == NULL || *text == '\0')
        return false;
    const struct plan plan = plan_of(text);
    if (strlen(names[step]) != plan.step_length ||
        strncmp(names[step], plan.step, plan.step_length) != 0)
        return false;
    const int64_t count = atomic_fetch_add(&reached_count, 1) + 1;
    if (strcmp(plan.action, "slow") == 0) {
        if (count >= plan.at_count)
            (void)poll(NULL, 0, SLOW_MS);
        return false;
    }
    if (count != plan.at_count)
        return false;
    if (strcmp(plan.action, "kill") == 0)
        raise(SIGKILL);
    return true;
}

#endif
