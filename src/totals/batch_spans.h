// SPDX-License-Identifier: Apache-2.0
// The spans of an attempt to settle a batch: "process TOPIC", and below it "UPDATE ledger". Only
// events whose context is sampled have any; what has no context is not traced. Two shapes:
//
//   child  each event goes on in its own trace: a process span below the Add span that its context
//          names, and linked to it. One trace tells an add's whole way.
//   link   one process span a batch, the root of a trace of its own, linked to the Add span of each
//          sampled event. As many as the links need, since a span has a limit of them.
//
// Attributes are those of OpenTelemetry's conventions for Kafka consumers, CloudEvents, databases.
#ifndef ABACUS_TOTALS_BATCH_SPANS_H
#define ABACUS_TOTALS_BATCH_SPANS_H

#include "totals/batch.h"

// Which one is `enum trace_shape`.
struct batch_spans {
    enum trace_shape shape;
    const char *topic, *group; // borrowed
    char *name;                // of the process span; owned
};

struct batch_spans batch_spans_create(enum trace_shape shape, const char *topic, const char *group);
void batch_spans_clear(struct batch_spans *s);

void batch_spans_attempt(const struct batch_spans *s, const struct batch *b,
                         const struct attempt *attempt);

#endif
