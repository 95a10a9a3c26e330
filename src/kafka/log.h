// SPDX-License-Identifier: Apache-2.0
// librdkafka's log lines in ours. While a broker is away it says so several times a second, so of
// each kind of line only the first few within a while are kept, and the rest is counted.
#ifndef ABACUS_KAFKA_LOG_H
#define ABACUS_KAFKA_LOG_H

#include "base/base.h"

#include <librdkafka/rdkafka.h>

// For rd_kafka_conf_set_log_cb. Any thread.
void kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

#define KAFKA_LOG_LINES_MAX 5 // of one kind
#define KAFKA_LOG_WINDOW_S  10
#define KAFKA_LOG_KINDS_MAX 16 // further kinds take the place of the one not seen for longest

// Which lines to keep: pure, one thread at a time. A zeroed one is ready.
struct kafka_log_limit {
    struct kafka_log_kind {
        char name[16];
        int64_t begun_mono_ns; // its window; 0: free
        int kept, dropped;
    } kinds[KAFKA_LOG_KINDS_MAX];
};

// True: keep the line; *dropped: how many of its kind were not kept since the last that was.
bool kafka_log_keep(struct kafka_log_limit *limit, const char *kind, int64_t now_mono_ns,
                    int *dropped);

#endif
