// SPDX-License-Identifier: Apache-2.0
#include "kafka/log.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

// A part of the log, which is the one thing that is global.
static struct {
    pthread_mutex_t mu;
    struct kafka_log_limit limit; // under mu
} sink = {.mu = PTHREAD_MUTEX_INITIALIZER};

static struct kafka_log_kind *find(struct kafka_log_limit *limit, const char *name)
{
    struct kafka_log_kind *oldest = &limit->kinds[0];
    for (size_t i = 0; i < COUNT_OF(limit->kinds); i++) {
        struct kafka_log_kind *kind = &limit->kinds[i];
        if (kind->begun_mono_ns != 0 && strncmp(kind->name, name, sizeof(kind->name) - 1) == 0)
            return kind;
        if (kind->begun_mono_ns < oldest->begun_mono_ns)
            oldest = kind;
    }
    *oldest = (struct kafka_log_kind){.begun_mono_ns = 0};
    snprintf(oldest->name, sizeof(oldest->name), "%s", name);
    return oldest;
}

bool kafka_log_keep(struct kafka_log_limit *limit, const char *kind, int64_t now_mono_ns,
                    int *dropped)
{
    struct kafka_log_kind *found = find(limit, kind);
    const bool fresh = found->begun_mono_ns == 0 ||
                       now_mono_ns - found->begun_mono_ns >= KAFKA_LOG_WINDOW_S * NS_PER_S;
    if (fresh) {
        found->begun_mono_ns = now_mono_ns;
        found->kept = 0;
    }
    if (found->kept == KAFKA_LOG_LINES_MAX) {
        found->dropped++;
        return false;
    }
    found->kept++;
    *dropped = found->dropped;
    found->dropped = 0;
    return true;
}

// syslog's numbers; its header and ours have names in common.
enum { SYSLOG_ERR = 3, SYSLOG_WARNING = 4, SYSLOG_DEBUG = 7 };

static enum log_level level_of(int syslog_level)
{
    if (syslog_level <= SYSLOG_ERR)
        return LOG_ERROR;
    return syslog_level == SYSLOG_WARNING ? LOG_WARN : LOG_INFO;
}

void kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level == SYSLOG_DEBUG) { // asked for by the property "debug": all are kept
        log_debug("kafka", "%s: %s", facility, text);
        return;
    }
    int dropped = 0;
    pthread_mutex_lock(&sink.mu);
    const bool keep = kafka_log_keep(&sink.limit, facility, clock_mono_ns(), &dropped);
    pthread_mutex_unlock(&sink.mu);
    if (keep && dropped > 0)
        log_write(level_of(level), "kafka", "%s: %s (and %d like it before)", facility, text,
                  dropped);
    else if (keep)
        log_write(level_of(level), "kafka", "%s: %s", facility, text);
}
