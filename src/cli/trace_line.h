// SPDX-License-Identifier: Apache-2.0
// One line of the collector's file: an ExportTraceServiceRequest in OTLP's JSON form (ids are hex,
// 64-bit integers are decimal strings; opentelemetry-proto docs/specification.md "JSON Protobuf
// Encoding"). Pure.
#ifndef ABACUS_CLI_TRACE_LINE_H
#define ABACUS_CLI_TRACE_LINE_H

#include "base/base.h"
#include "telemetry/context.h"
#include "telemetry/trace.h"

#include <jansson.h>

// All is borrowed from the line for the call.
struct otlp_span {
    const char *trace_id, *span_id, *parent_id, *name; // parent_id: "" at the root
    const char *service;                               // service.name of its resource; "" unknown
    int kind;                                          // enum span_kind, or what the sender wrote
    int64_t begin_unix_ns, end_unix_ns;
    const char *error; // NULL: none; else its message, which may be ""
    const json_t *attributes, *links;
};

// Calls on_span for each span of the line that makes sense. False: the line is no JSON object.
bool trace_line_read(const char *line, size_t length,
                     void (*on_span)(const struct otlp_span *span, void *ctx), void *ctx);

bool otlp_span_links_to(const struct otlp_span *span, const char *trace_id);

// What is worth a look among the attributes, in few words: "sequence 5, partition 0". Owned.
char *otlp_span_notes(const struct otlp_span *span);

#endif
