// SPDX-License-Identifier: Apache-2.0
#include "base/descriptors.h"

#include <sys/resource.h>

int64_t descriptors_allow(int64_t connections)
{
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0)
        raised = limit; // a sandbox may forbid it
    if (raised.rlim_cur >= (rlim_t)connections + DESCRIPTORS_KEPT)
        return connections;
    const int64_t left = (int64_t)raised.rlim_cur - DESCRIPTORS_KEPT;
    return left > 1 ? left : 1;
}
