// SPDX-License-Identifier: Apache-2.0
// Which lines the log leaves out when one place says the same again and again. Pure: the clock is
// an argument. One thread at a time. A zeroed one is ready.
#ifndef ABACUS_BASE_LOG_BURST_H
#define ABACUS_BASE_LOG_BURST_H

#include "base/log.h"

// Places that speak within the same LOG_BURST_S; seldom more than ten. Further ones are not
// limited.
#define LOG_PLACES_MAX 32

struct log_place {
    const char *fmt, *module; // together its name, borrowed for ever; fmt NULL: free
    enum log_level level;
    int64_t begun_mono_ns; // its window
    int64_t said, left_out;
};

struct log_burst {
    struct log_place places[LOG_PLACES_MAX];
};

// Takes a place whose window is over and that has left lines out, so that this can be said. False:
// there is none. Before log_burst_keep, until false.
MUST_USE bool log_burst_take(struct log_burst *burst, int64_t now_mono_ns, struct log_place *out);

// True: write the line. speaker: fmt, module and level.
MUST_USE bool log_burst_keep(struct log_burst *burst, const struct log_place *speaker,
                             int64_t now_mono_ns);

#endif
