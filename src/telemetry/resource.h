// SPDX-License-Identifier: Apache-2.0
// Who this process is, for traces and for target_info alike. Pure.
#ifndef ABACUS_TELEMETRY_RESOURCE_H
#define ABACUS_TELEMETRY_RESOURCE_H

#include "base/bytes.h"
#include "telemetry/otel_config.h"
#include "telemetry/trace.h"

// Sets the attributes; end with otel_list_clear. What the environment says wins, but for what
// only the program can know: telemetry.sdk.*.
void resource_make(struct otel_list *resource, const struct trace_config *program,
                   const struct otel_config *environment);

// As labels of a metric: service_name="adder",… in exposition form, in the order of their names.
void resource_labels(struct bytes *out, const struct otel_list *resource);

#endif
