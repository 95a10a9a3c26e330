// SPDX-License-Identifier: Apache-2.0
// Which traces are recorded (OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG). Pure.
//
// Every sampler the specification names is one number and one question: how many of 2^56 traces to
// record, and whether a parent has decided already. The trace id decides by its last 56 bits, which
// are random: record when they are at or above the threshold. So do other SDKs' probability
// samplers and the collector's, and those that are set to less keep a part of what those set to
// more keep.
#ifndef ABACUS_TELEMETRY_SAMPLER_H
#define ABACUS_TELEMETRY_SAMPLER_H

#include "telemetry/context.h"

struct sampler {
    bool parent_based;  // a span that has a parent is recorded if the parent is
    uint64_t threshold; // 0: all; SAMPLER_NONE: none
};

#define SAMPLER_NONE (UINT64_C(1) << 56)

// "always_on", "parentbased_traceidratio", … False: no such sampler. *ratio: whether the ratio has
// a meaning for it.
MUST_USE bool sampler_find(const char *name, struct sampler *out, bool *ratio);

// "0.01". False: not a number from 0 to 1.
MUST_USE bool sampler_ratio(const char *text, struct sampler *sampler);

// Whether to record a trace of that id, when no parent has decided.
bool sampler_takes(const struct sampler *sampler, const struct trace_context *context);

#endif
