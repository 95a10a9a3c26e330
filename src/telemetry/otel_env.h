// SPDX-License-Identifier: Apache-2.0
// One environment variable at a time, with a warning for what makes no sense. Main thread.
#ifndef ABACUS_TELEMETRY_OTEL_ENV_H
#define ABACUS_TELEMETRY_OTEL_ENV_H

#include "base/base.h"

struct otel_variable {
    const char *name, *value; // value NULL: unset or empty
};

struct otel_variable otel_variable(const char *name);
// The first of the two that is set, else the second.
struct otel_variable otel_variable_either(const char *name, const char *other);

// Logs 'NAME: "value" REASON: CONSEQUENCE'.
void otel_variable_warn(const struct otel_variable *variable, const char *reason,
                        const char *consequence);

struct otel_number {
    const char *name, *other; // other: the name to look for second, or NULL
    size_t offset;            // of the int64_t in struct otel_config
    int64_t fallback, min, max;
};
int64_t otel_number(const struct otel_number *row);

#endif
