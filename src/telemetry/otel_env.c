// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otel_env.h"

#include "base/int128.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct otel_variable otel_variable(const char *name)
{
    const char *value = getenv(name);
    return (struct otel_variable){name, value == NULL || value[0] == '\0' ? NULL : value};
}

struct otel_variable otel_variable_either(const char *name, const char *other)
{
    const struct otel_variable first = otel_variable(name);
    return first.value != NULL ? first : otel_variable(other);
}

void otel_variable_warn(const struct otel_variable *variable, const char *reason,
                        const char *consequence)
{
    log_warn("trace", "%s: \"%.100s\" %s: %s", variable->name, variable->value, reason,
             consequence);
}

int64_t otel_number(const struct otel_number *row)
{
    const struct otel_variable variable =
        row->other == NULL ? otel_variable(row->name) : otel_variable_either(row->name, row->other);
    int64_t number;
    if (variable.value == NULL)
        return row->fallback;
    if (int64_parse(variable.value, strlen(variable.value), &number) && number >= row->min &&
        number <= row->max)
        return number;
    char reason[100], consequence[40];
    snprintf(reason, sizeof(reason), "is not a whole number from %" PRId64 " to %" PRId64, row->min,
             row->max);
    snprintf(consequence, sizeof(consequence), "%" PRId64 " is used", row->fallback);
    otel_variable_warn(&variable, reason, consequence);
    return row->fallback;
}
