// SPDX-License-Identifier: Apache-2.0
#include "grpc/guard.h"

#include "base/clock.h"

void grpc_budget_init(struct grpc_budget *b, int64_t burst, int64_t per_s)
{
    CHECK_INT(burst, >=, 1);
    CHECK_INT(per_s, >=, 1);
    const int64_t event_ns = per_s < NS_PER_S ? NS_PER_S / per_s : 1;
    const int64_t burst_max = INT64_MAX / 4 / event_ns;
    *b = (struct grpc_budget){.event_ns = event_ns,
                              .burst_ns = event_ns * (burst < burst_max ? burst : burst_max)};
}

bool grpc_budget_spend(struct grpc_budget *b, int64_t now_mono_ns)
{
    if (b->full_mono_ns < now_mono_ns)
        b->full_mono_ns = now_mono_ns;
    if (b->full_mono_ns + b->event_ns - now_mono_ns > b->burst_ns)
        return false;
    b->full_mono_ns += b->event_ns;
    return true;
}

void grpc_ping_guard_init(struct grpc_ping_guard *g, int64_t interval_min_ns)
{
    *g = (struct grpc_ping_guard){.interval_min_ns = interval_min_ns};
}

void grpc_ping_guard_sent(struct grpc_ping_guard *g)
{
    g->sent_since = true;
}

bool grpc_ping_guard_allow(struct grpc_ping_guard *g, int64_t now_mono_ns)
{
    const bool early = g->last_mono_ns > 0 && now_mono_ns - g->last_mono_ns < g->interval_min_ns;
    g->last_mono_ns = now_mono_ns;
    if (g->sent_since)
        g->strikes_count = 0;
    else if (early)
        g->strikes_count++;
    g->sent_since = false;
    return g->strikes_count <= GRPC_PING_STRIKES_MAX;
}
