// SPDX-License-Identifier: Apache-2.0
// Spans: what is recorded of a sampled trace and exported over OTLP. Any thread, unless said.
//
// A span is a plain value that its maker fills in when the work is over, and hands to trace_end,
// which copies it, encoded, into the exporter's bounded queue. Nothing waits: a full queue drops
// and counts. Of a trace that is not sampled nothing is recorded, and its context is passed on as
// it came; with tracing off all cost is one branch.
#ifndef ABACUS_TELEMETRY_TRACE_H
#define ABACUS_TELEMETRY_TRACE_H

#include "base/base.h"
#include "telemetry/context.h"

enum span_kind { // the numbers are OTLP's
    SPAN_INTERNAL = 1,
    SPAN_SERVER = 2,
    SPAN_CLIENT = 3,
    SPAN_PRODUCER = 4,
    SPAN_CONSUMER = 5,
};

// A text, or a number when text is NULL. Keys are semantic conventions 1.44 (or abacus.*).
struct span_attribute {
    const char *key, *text;
    int64_t number;
};

#define SPAN_ATTRIBUTES_MAX 24
#define SPAN_LINKS_MAX      128 // OTEL_SPAN_LINK_COUNT_LIMIT's default; what has more is split

// All texts are borrowed for the call of trace_end.
struct span {
    const char *name;
    enum span_kind kind;
    struct trace_context context; // its own: of trace_begin
    struct trace_context parent;  // empty: the root
    bool parent_remote;           // the parent is another process's
    int64_t begin_unix_us, end_unix_us;
    const char *error; // NULL: status unset; else status Error with this message, which may be ""
    struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
    size_t attributes_count;
    const struct trace_context *links; // all remote
    size_t links_count;                // at most SPAN_LINKS_MAX
};

bool trace_enabled(void);

// Whether to record a span below `parent` (empty: at the root), by OTEL_TRACES_SAMPLER.
// True: *context is the new span's own, to be handed on as the parent of what follows.
// False: *context is the parent as it came, to be handed on as it is.
MUST_USE bool trace_begin(const struct trace_context *parent, struct trace_context *context);

void span_text(struct span *span, const char *key, const char *text); // "" or NULL: left out
void span_number(struct span *span, const char *key, int64_t number);

void trace_end(const struct span *span);

// --- the process's exporter: main ---

// Reads OTEL_*; what makes no sense there is logged once and ignored. Tracing is on when
// OTEL_TRACES_EXPORTER=otlp or an OTLP endpoint is given (the specification's default, to send to
// localhost always, would make everybody's log complain). instance: service.instance.id.
struct trace_config {
    const char *service;  // service.name unless OTEL_SERVICE_NAME says otherwise
    const char *instance; // service.instance.id
};
void trace_start(const struct trace_config *config);
// Exports what waits, for at most timeout_ms, then ends the exporter. Other threads may still make
// spans; those are lost. However long a program may take to end, a collector that does not answer
// gets no more than TRACE_STOP_MS_MAX of it.
#define TRACE_STOP_MS_MAX 3000
void trace_stop(int64_t timeout_ms);

#endif
