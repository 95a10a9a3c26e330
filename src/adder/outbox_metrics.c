// SPDX-License-Identifier: Apache-2.0
#include "adder/outbox_metrics.h"

#include "base/clock.h"

#define TABLE  "outbox"
#define INSERT "INSERT"
#define DELETE "DELETE"

static struct metric_series durations(const char *operation, const char *error_type)
{
    return METRIC_SERIES(METRIC_DB_DURATION, TABLE, operation, error_type);
}

void outbox_metrics_init(struct outbox_metrics *m)
{
    m->insert = durations(INSERT, "");
    m->remove = durations(DELETE, "");
    m->commit_to_ack = METRIC_SERIES(METRIC_STAGE_LATENCY, "commit_to_ack");
}

void outbox_metrics_insert(struct outbox_metrics *m, int64_t begun_mono_ns, const struct err *err)
{
    metric_observe(err == NULL ? m->insert : durations(INSERT, err_name(err->code)),
                   clock_mono_ns() - begun_mono_ns, 1);
}

void outbox_metrics_delete(struct outbox_metrics *m, int64_t begun_mono_ns, const struct err *err)
{
    metric_observe(err == NULL ? m->remove : durations(DELETE, err_name(err->code)),
                   clock_mono_ns() - begun_mono_ns, 1);
}

void outbox_metrics_published(struct outbox_metrics *m, struct timeline *committed,
                              int64_t sequence)
{
    const int64_t now_mono_ns = clock_mono_ns();
    int64_t n, committed_mono_ns;
    while ((n = timeline_take(committed, sequence, &committed_mono_ns)) > 0)
        metric_observe(m->commit_to_ack, now_mono_ns - committed_mono_ns, n);
}
