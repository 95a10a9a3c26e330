// SPDX-License-Identifier: Apache-2.0
// Spans in the protobuf encoding of OTLP 1.11 (proto/opentelemetry/…/trace_subset.proto). Pure.
//
//   trace_end ─▶ otlp_span ─▶ queue ─▶ otlp_request( resource, scope, span span span … ) ─▶
//   collector
#ifndef ABACUS_TELEMETRY_OTLP_H
#define ABACUS_TELEMETRY_OTLP_H

#include "base/bytes.h"
#include "telemetry/otel_list.h"
#include "telemetry/span_queue.h"
#include "telemetry/trace.h"

// What is longer is cut: texts come from strangers, and a queue of them must stay small.
#define OTLP_TEXT_MAX 1024

#define OTLP_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

// Owned. Bytes that are not UTF-8 become U+FFFD: one of them could make the collector refuse all.
struct span_bytes *otlp_span(const struct span *span);

// Appends the request that carries these spans.
void otlp_request(struct bytes *out, const struct otel_list *resource,
                  const struct span_bytes *spans);

// What the collector made of a request that it answered with status 200.
struct otlp_response {
    int64_t rejected;                // so many of the spans
    char message[OTLP_TEXT_MAX + 1]; // or a warning, when rejected is 0
};
// False: that is no answer of a collector.
MUST_USE bool otlp_response(const struct bytes *body, struct otlp_response *out);

#endif
