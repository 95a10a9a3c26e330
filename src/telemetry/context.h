// SPDX-License-Identifier: Apache-2.0
// W3C trace context (w3c/trace-context, section 3.2 "traceparent"): parse, check, make. Any thread.
#ifndef ABACUS_TELEMETRY_CONTEXT_H
#define ABACUS_TELEMETRY_CONTEXT_H

#include "base/base.h"

#define TRACEPARENT_LENGTH 55

#define TRACE_ID_LENGTH 32
#define SPAN_ID_LENGTH  16

// A checked traceparent in version 00 form, or "" when there is none.
struct trace_context {
    char traceparent[TRACEPARENT_LENGTH + 1];
};

// False (and out is empty): not a valid traceparent; the caller goes on without one. Outer spaces
// and tabs are tolerated; later versions are read by their first four fields.
bool trace_context_parse(const char *text, size_t length, struct trace_context *out);

// False also of an empty one.
bool trace_context_sampled(const struct trace_context *context);

// Its two ids as texts; "" of an empty one.
struct trace_ids {
    char trace_id[TRACE_ID_LENGTH + 1], span_id[SPAN_ID_LENGTH + 1];
};
struct trace_ids trace_context_ids(const struct trace_context *context);

// The last 56 bits of its trace id, which are random; not of an empty one.
uint64_t trace_context_random(const struct trace_context *context);

// A new span's context: in its parent's trace, or with an empty parent the root of a trace with a
// random id, and marked as such (flag random-trace-id).
struct trace_context trace_context_make(const struct trace_context *parent, bool sampled);

#endif
