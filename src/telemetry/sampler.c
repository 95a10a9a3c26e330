// SPDX-License-Identifier: Apache-2.0
#include "telemetry/sampler.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    struct sampler sampler;
    bool ratio;
} samplers[] = {
    {"always_on", {false, 0}, false},
    {"always_off", {false, SAMPLER_NONE}, false},
    {"traceidratio", {false, 0}, true},
    {"parentbased_always_on", {true, 0}, false},
    {"parentbased_always_off", {true, SAMPLER_NONE}, false},
    {"parentbased_traceidratio", {true, 0}, true},
};

bool sampler_find(const char *name, struct sampler *out, bool *ratio)
{
    for (size_t i = 0; i < COUNT_OF(samplers); i++) {
        if (strcmp(name, samplers[i].name) == 0) {
            *out = samplers[i].sampler;
            *ratio = samplers[i].ratio;
            return true;
        }
    }
    return false;
}

bool sampler_ratio(const char *text, struct sampler *sampler)
{
    char *end;
    const double ratio = strtod(text, &end);
    if (end == text || *end != '\0' || !(ratio >= 0 && ratio <= 1))
        return false;
    sampler->threshold = (uint64_t)((1 - ratio) * (double)SAMPLER_NONE);
    return true;
}

bool sampler_takes(const struct sampler *sampler, const struct trace_context *context)
{
    return trace_context_random(context) >= sampler->threshold;
}
