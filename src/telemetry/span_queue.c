// SPDX-License-Identifier: Apache-2.0
#include "telemetry/span_queue.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct span_queue {
    // fixed after create
    size_t limit, batch;
    // shared, under mu
    pthread_mutex_t mu;
    pthread_cond_t wanted; // a batch waits, or the end was asked for
    struct span_bytes *first, **end;
    bool ended;
    // shared: written under mu; has_room reads it without, and may be late
    _Atomic size_t length;
};

struct span_queue *span_queue_create(size_t limit, size_t batch)
{
    CHECK(limit >= 1 && batch >= 1 && batch <= limit);
    struct span_queue *queue = xcalloc(1, sizeof(*queue));
    queue->limit = limit;
    queue->batch = batch;
    queue->end = &queue->first;
    pthread_mutex_init(&queue->mu, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->wanted, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

void span_queue_destroy(struct span_queue *queue)
{
    if (queue == NULL)
        return;
    while (queue->first != NULL) {
        struct span_bytes *span = queue->first;
        queue->first = span->next;
        free(span);
    }
    pthread_cond_destroy(&queue->wanted);
    pthread_mutex_destroy(&queue->mu);
    free(queue);
}

size_t span_queue_length(struct span_queue *queue)
{
    return atomic_load_explicit(&queue->length, memory_order_relaxed);
}

bool span_queue_has_room(struct span_queue *queue)
{
    return span_queue_length(queue) < queue->limit;
}

static void length_set(struct span_queue *queue, size_t length)
{
    atomic_store_explicit(&queue->length, length, memory_order_relaxed);
}

bool span_queue_put(struct span_queue *queue, struct span_bytes *span)
{
    pthread_mutex_lock(&queue->mu);
    const size_t length = span_queue_length(queue);
    const bool room = length < queue->limit;
    if (room) {
        span->next = NULL;
        *queue->end = span;
        queue->end = &span->next;
        length_set(queue, length + 1);
    }
    // Only the span that completes the batch wakes, so that most cost no system call.
    if (room && length + 1 == queue->batch)
        pthread_cond_signal(&queue->wanted);
    pthread_mutex_unlock(&queue->mu);
    return room;
}

struct span_bytes *span_queue_take(struct span_queue *queue, size_t count_max, size_t bytes_max)
{
    pthread_mutex_lock(&queue->mu);
    struct span_bytes *taken = queue->first, **last = &taken;
    size_t count = 0, bytes = 0;
    while (*last != NULL && count < count_max &&
           (count == 0 || bytes + (*last)->length <= bytes_max)) {
        count++;
        bytes += (*last)->length;
        last = &(*last)->next;
    }
    queue->first = *last;
    if (queue->first == NULL)
        queue->end = &queue->first;
    *last = NULL;
    length_set(queue, span_queue_length(queue) - count);
    pthread_mutex_unlock(&queue->mu);
    return taken;
}

// Whoever calls checks what it waits for; false: the time has come.
static bool wait_locked(struct span_queue *queue, int64_t until_mono_ns)
{
    const struct timespec until = {.tv_sec = until_mono_ns / NS_PER_S,
                                   .tv_nsec = until_mono_ns % NS_PER_S};
    return pthread_cond_timedwait(&queue->wanted, &queue->mu, &until) == 0;
}

bool span_queue_wait(struct span_queue *queue, int64_t until_mono_ns)
{
    pthread_mutex_lock(&queue->mu);
    while (!queue->ended && span_queue_length(queue) < queue->batch &&
           wait_locked(queue, until_mono_ns))
        continue;
    const bool batch = !queue->ended && span_queue_length(queue) >= queue->batch;
    pthread_mutex_unlock(&queue->mu);
    return batch;
}

void span_queue_sleep(struct span_queue *queue, int64_t until_mono_ns, bool ended_seen)
{
    pthread_mutex_lock(&queue->mu);
    while (queue->ended == ended_seen && wait_locked(queue, until_mono_ns))
        continue;
    pthread_mutex_unlock(&queue->mu);
}

void span_queue_end(struct span_queue *queue)
{
    pthread_mutex_lock(&queue->mu);
    queue->ended = true;
    pthread_cond_signal(&queue->wanted);
    pthread_mutex_unlock(&queue->mu);
}

bool span_queue_ended(struct span_queue *queue)
{
    pthread_mutex_lock(&queue->mu);
    const bool ended = queue->ended;
    pthread_mutex_unlock(&queue->mu);
    return ended;
}
