// SPDX-License-Identifier: Apache-2.0
#include "cli/load_stats.h"

enum load_fate load_fate(const struct grpc_result *result)
{
    if (result->status == GRPC_OK)
        return LOAD_ACKNOWLEDGED;
    if (result->not_processed)
        return LOAD_REFUSED;
    if (!result->answered)
        return LOAD_UNKNOWN;
    switch (result->status) {
    case GRPC_INVALID_ARGUMENT:
    case GRPC_NOT_FOUND:
    case GRPC_PERMISSION_DENIED:
    case GRPC_RESOURCE_EXHAUSTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNIMPLEMENTED:
    case GRPC_UNAUTHENTICATED:
        return LOAD_REFUSED;
    default: // UNAVAILABLE too: the outbox may have been written when it failed
        return LOAD_UNKNOWN;
    }
}

void load_stats_end(struct load_stats *s, enum load_fate fate, int64_t sum)
{
    switch (fate) {
    case LOAD_ACKNOWLEDGED:
        s->acknowledged++;
        s->acknowledged_sum += sum;
        break;
    case LOAD_REFUSED:
        s->refused++;
        break;
    case LOAD_UNKNOWN:
        s->unknown++;
        s->unknown_sum += sum;
        break;
    }
    CHECK_INT(load_stats_in_flight(s), >=, 0);
}

int64_t load_stats_in_flight(const struct load_stats *s)
{
    return s->begun - s->acknowledged - s->refused - s->unknown;
}

const char *load_verdict_name(enum load_verdict verdict)
{
    static const char *const names[] = {
#define LOAD_VERDICT_NAME(name, text) [name] = text,
        LOAD_VERDICTS(LOAD_VERDICT_NAME)
#undef LOAD_VERDICT_NAME
    };
    CHECK((size_t)verdict < COUNT_OF(names));
    return names[verdict];
}

enum load_verdict load_judge(const struct load_stats *s, const struct load_gain *gain)
{
    if (gain->count > s->acknowledged + s->unknown)
        return LOAD_EXCESS;
    if (gain->count < s->acknowledged)
        return gain->settled ? LOAD_LOST : LOAD_UNSURE;
    if (gain->sum >= s->acknowledged_sum && gain->sum <= s->acknowledged_sum + s->unknown_sum)
        return LOAD_RIGHT;
    // Adds of unknown fate may have come before acknowledged ones.
    return gain->settled || s->unknown == 0 ? LOAD_DIFFERENT : LOAD_UNSURE;
}
