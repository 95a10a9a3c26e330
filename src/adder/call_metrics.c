// SPDX-License-Identifier: Apache-2.0
#include "adder/call_metrics.h"

#include "adder/add_service.h"
#include "telemetry/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

#define STATUSES (GRPC_UNAUTHENTICATED + 1)

// A series is made when a call ends so for the first time: most never do. Two loops may make the
// same one, which is then the same.
struct call_metrics {
    size_t methods;
    struct ended {
        _Atomic struct metric_series by_status[STATUSES];
    } ended[]; // by method, and one more for those that are not ours
};

struct call_metrics *call_metrics_create(size_t methods)
{
    struct call_metrics *m = xcalloc(1, sizeof(*m) + (methods + 1) * sizeof(m->ended[0]));
    m->methods = methods;
    return m;
}

void call_metrics_destroy(struct call_metrics *m)
{
    free(m);
}

static struct metric_series series_make(const struct grpc_call_end *end)
{
    const char *status = grpc_status_name((int)end->status);
    return METRIC_SERIES(METRIC_RPC_DURATION, end->method, status,
                         grpc_status_is_server_error(end->status) ? status : "");
}

static struct metric_series series_of(struct call_metrics *m, const struct grpc_call_end *end)
{
    CHECK_INT(end->method_index, <=, m->methods);
    _Atomic struct metric_series *kept = &m->ended[end->method_index].by_status[end->status];
    struct metric_series series = atomic_load_explicit(kept, memory_order_relaxed);
    if (series.cell == 0) {
        series = series_make(end);
        atomic_store_explicit(kept, series, memory_order_relaxed);
    }
    return series;
}

void call_metrics_on_end(const struct grpc_call_end *end, void *ctx)
{
    const struct metric_series series = series_of(ctx, end);
    if (end->method_index == ADD_SERVICE_INDEX && end->state != NULL)
        metric_observe_traced(series, end->duration_ns, add_service_context(end->state));
    else
        metric_observe(series, end->duration_ns, 1);
}
