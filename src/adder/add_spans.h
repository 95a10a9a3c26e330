// SPDX-License-Identifier: Apache-2.0
// The adder's spans of one add, as OpenTelemetry's semantic conventions 1.44 name and fill them:
//
//   SERVER "abacus.v1.Adder/Add"    from the call's begin to its answer; its context is the add's
//    ├ CLIENT "INSERT outbox"       the transaction that held the add, from begin to durable
//    └ CLIENT "send abacus.sums"    from handing the event to librdkafka to its acknowledgement
//
// Any thread; of a call, its loop.
#ifndef ABACUS_ADDER_ADD_SPANS_H
#define ABACUS_ADDER_ADD_SPANS_H

#include "adder/writer.h"
#include "grpc/server.h"
#include "telemetry/trace.h"

// --- SERVER ---
// Sets job->add.context and job->traced from what the client sent along. Two traceparents arrive
// joined by a comma and are, as W3C wants it, no better than none.
void add_span_begin(struct grpc_call *call, struct writer_job *job);
// Of a traced job: the call is about to end with this status. What its client sent is read again
// instead of kept: of most calls nobody asks for it.
void add_span_end(struct grpc_call *call, const struct writer_job *job, enum grpc_status status,
                  const char *source);

// --- INSERT ---
struct insert_times {
    int64_t begin_unix_us, end_unix_us;
};
// Of each traced add in the transaction; err: it failed, else NULL.
void add_spans_insert(struct writer_job *const *jobs, size_t n, const struct insert_times *times,
                      const struct err *err);

// --- send ---
struct send_place { // borrowed texts
    const char *topic, *client_id;
    int32_t partition;
};
struct send_event {
    struct uuid source;
    int64_t sequence, begin_unix_us;
    struct trace_context context; // the add's
};
// offset: -1, nobody knows. error: why it is not acknowledged, else NULL.
void add_span_send(const struct send_place *place, const struct send_event *event, int64_t offset,
                   const char *error);

#endif
