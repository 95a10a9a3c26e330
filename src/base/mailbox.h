// SPDX-License-Identifier: Apache-2.0
// The one way between threads: a bounded queue whose consumer sleeps on a file descriptor.
// put: any thread; take: the one consumer; create, destroy: when no other thread uses it.
//
// Wake-ups coalesce: the eventfd is written only by the put that finds the queue empty, so a busy
// queue costs no system call. Items are intrusive: whoever puts gives the item away until the
// consumer hands it on.
#ifndef ABACUS_BASE_MAILBOX_H
#define ABACUS_BASE_MAILBOX_H

#include "base/base.h"

struct mailbox_item {
    struct mailbox_item *next;
};

struct mailbox;

// limit: how many items may wait, at least 1.
struct mailbox *mailbox_create(size_t limit);
void mailbox_limit_set(struct mailbox *m, size_t limit); // any thread; what waits already may stay
size_t mailbox_limit(struct mailbox *m);                 // any thread
void mailbox_destroy(struct mailbox *m);                 // items that still wait stay their owners'

// False: full, the item stays the caller's. Never blocks on the consumer.
MUST_USE bool mailbox_put(struct mailbox *m, struct mailbox_item *item);

// Takes up to max items, oldest first, as a list. NULL: none waits; the next put wakes again.
struct mailbox_item *mailbox_take(struct mailbox *m, size_t max);

// Wakes the consumer without an item; coalesces too.
void mailbox_wake(struct mailbox *m);

// Readable while items may wait. For poll() or an event loop; drained by mailbox_take.
int mailbox_fd(const struct mailbox *m);

// Blocks until woken or timeout_ms is over (-1: no limit). Consumer only.
void mailbox_wait(struct mailbox *m, int timeout_ms);

size_t mailbox_length(struct mailbox *m);

#endif
