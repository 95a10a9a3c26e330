// SPDX-License-Identifier: Apache-2.0
#include "base/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    // fixed after create
    int fd;
    // shared, under mu
    pthread_mutex_t mu;
    size_t limit;
    struct mailbox_item *first, **end;
    size_t length;
    bool signalled; // the eventfd is readable: nobody needs to write it again
};

struct mailbox *mailbox_create(size_t limit)
{
    CHECK(limit >= 1);
    struct mailbox *m = xcalloc(1, sizeof(*m));
    m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK_INT(m->fd, >=, 0);
    m->limit = limit;
    m->end = &m->first;
    pthread_mutex_init(&m->mu, NULL);
    return m;
}

void mailbox_destroy(struct mailbox *m)
{
    if (m == NULL)
        return;
    close(m->fd);
    pthread_mutex_destroy(&m->mu);
    free(m);
}

void mailbox_limit_set(struct mailbox *m, size_t limit)
{
    CHECK(limit >= 1);
    pthread_mutex_lock(&m->mu);
    m->limit = limit;
    pthread_mutex_unlock(&m->mu);
}

size_t mailbox_limit(struct mailbox *m)
{
    pthread_mutex_lock(&m->mu);
    const size_t limit = m->limit;
    pthread_mutex_unlock(&m->mu);
    return limit;
}

static void signal_locked(struct mailbox *m)
{
    if (m->signalled)
        return;
    m->signalled = true;
    CHECK_INT(eventfd_write(m->fd, 1), ==, 0);
}

bool mailbox_put(struct mailbox *m, struct mailbox_item *item)
{
    pthread_mutex_lock(&m->mu);
    const bool room = m->length < m->limit;
    if (room) {
        item->next = NULL;
        *m->end = item;
        m->end = &item->next;
        m->length++;
        signal_locked(m);
    }
    pthread_mutex_unlock(&m->mu);
    return room;
}

void mailbox_wake(struct mailbox *m)
{
    pthread_mutex_lock(&m->mu);
    signal_locked(m);
    pthread_mutex_unlock(&m->mu);
}

// The descriptor stays readable while items are left, so a consumer that takes a part of the queue
// is called again.
struct mailbox_item *mailbox_take(struct mailbox *m, size_t max)
{
    pthread_mutex_lock(&m->mu);
    struct mailbox_item *taken = m->first, **cut = &m->first;
    for (size_t i = 0; i < max && *cut != NULL; i++) {
        cut = &(*cut)->next;
        m->length--;
    }
    struct mailbox_item *rest = *cut;
    if (cut == &m->first)
        taken = NULL;
    *cut = NULL;
    m->first = rest;
    if (rest == NULL) {
        m->end = &m->first;
        eventfd_t ignored;
        if (m->signalled)
            (void)eventfd_read(m->fd, &ignored);
        m->signalled = false;
    }
    pthread_mutex_unlock(&m->mu);
    return taken;
}

int mailbox_fd(const struct mailbox *m)
{
    return m->fd;
}

void mailbox_wait(struct mailbox *m, int timeout_ms)
{
    struct pollfd wait = {.fd = m->fd, .events = POLLIN};
    (void)poll(&wait, 1, timeout_ms); // an early return is a wake-up without an item
}

size_t mailbox_length(struct mailbox *m)
{
    pthread_mutex_lock(&m->mu);
    const size_t length = m->length;
    pthread_mutex_unlock(&m->mu);
    return length;
}
