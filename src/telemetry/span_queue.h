// SPDX-License-Identifier: Apache-2.0
// Encoded spans on their way to the exporter: bounded, and whoever puts never waits for whoever
// takes. put, has_room, length: any thread; take, wait, sleep: the exporter; end: main.
#ifndef ABACUS_TELEMETRY_SPAN_QUEUE_H
#define ABACUS_TELEMETRY_SPAN_QUEUE_H

#include "base/base.h"

struct span_bytes { // one encoded span, in one piece of memory: free()
    struct span_bytes *next;
    size_t length;
    uint8_t data[];
};

struct span_queue;

// limit: how many spans may wait; batch: so many wake the exporter.
struct span_queue *span_queue_create(size_t limit, size_t batch);
void span_queue_destroy(struct span_queue *queue); // and what waits

// A glance without a lock, so that a span that would be dropped need not be encoded.
bool span_queue_has_room(struct span_queue *queue);
// Takes the span. False: full, and it stays the caller's.
MUST_USE bool span_queue_put(struct span_queue *queue, struct span_bytes *span);
size_t span_queue_length(struct span_queue *queue);

// The oldest spans as a list, as many as fit into both limits, but at least one; NULL: none waits.
struct span_bytes *span_queue_take(struct span_queue *queue, size_t count_max, size_t bytes_max);

// Until a whole batch waits (true), or the time comes or the end was asked for (false).
bool span_queue_wait(struct span_queue *queue, int64_t until_mono_ns);
// Until the time comes, or span_queue_ended is no longer what the caller saw.
void span_queue_sleep(struct span_queue *queue, int64_t until_mono_ns, bool ended_seen);
void span_queue_end(struct span_queue *queue);
bool span_queue_ended(struct span_queue *queue);

#endif
