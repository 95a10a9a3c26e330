// SPDX-License-Identifier: Apache-2.0
// The writer: one thread that commits whatever adds have queued up as one transaction (group
// commit). Under load the batch grows and the cost of an add falls.
//
// Overload: the queue has as many places as can be committed within wait_max_ms, by how long
// commits take now. Who finds no place is refused at once, so that a slow disk makes callers
// neither wait for long nor fill the memory, and goes on at what it can do.
//
//   I/O threads ─▶ queue (bounded) ─▶ writer: commit ─▶ each job's reply mailbox ─▶ its I/O thread
//                                               └─▶ on_committed: wakes the relay
//
// create, start, stop, destroy: main; submit: any thread.
#ifndef ABACUS_ADDER_WRITER_H
#define ABACUS_ADDER_WRITER_H

#include "adder/outbox.h"
#include "base/mailbox.h"
#include "telemetry/readiness.h"

struct writer;

enum writer_result {
    WRITER_COMMITTED, // add.outcome and add.sequence are set
    WRITER_FAILED,    // nothing was written, or nobody knows: say "unavailable"; add.sequence: 0
    WRITER_EXPIRED,   // nobody waits any more: it was dropped before it was written
};

struct writer_job {
    struct mailbox_item item; // first in its queue, then in its reply mailbox
    struct add add;
    int64_t deadline_mono_ns;
    struct mailbox *reply;                        // where the job goes when it is done; borrowed
    bool (*abandoned)(const struct writer_job *); // nobody waits; asked on the writer's thread
    bool traced;                                  // add.context is that of a recorded span
    enum writer_result result;                    // out
};

struct writer_config {
    size_t queue_max;                // jobs that may wait, however fast the disk is
    int64_t wait_max_ms;             // and for how long, about
    int64_t backlog_max;             // rows not yet published, 0: unlimited
    struct readiness *readiness;     // borrowed
    size_t readiness_index;          // its condition "outbox"
    void (*on_committed)(void *ctx); // after each commit, on the writer's thread
    void *ctx;
};

struct writer *writer_create(struct outbox *outbox, const struct writer_config *config);
void writer_start(struct writer *writer);
// Ends when the queue is empty and every job has gone to its reply mailbox.
void writer_stop(struct writer *writer);
void writer_destroy(struct writer *writer);

// Takes the job. False: the queue or the backlog is full, the job stays the caller's.
MUST_USE bool writer_submit(struct writer *writer, struct writer_job *job);

size_t writer_queue_length(struct writer *writer); // any thread
size_t writer_queue_places(struct writer *writer); // any thread: jobs that may wait now

#endif
