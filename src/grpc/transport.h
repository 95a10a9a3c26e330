// SPDX-License-Identifier: Apache-2.0
// The one seam under HTTP/2: bytes in and out of a non-blocking connection. Plain TCP is the only
// kind now; TLS is a second table of operations, which may want to write before it can read.
// A transport belongs to one thread.
#ifndef ABACUS_GRPC_TRANSPORT_H
#define ABACUS_GRPC_TRANSPORT_H

#include "base/base.h"

#include <sys/types.h>

struct grpc_transport;

#define GRPC_IO_AGAIN  (-1) // nothing now: wait for the events in `want`
#define GRPC_IO_FAILED (-2) // the connection is broken

struct grpc_transport_ops {
    // Bytes read (0: the peer has ended) or written, or one of the two above.
    ssize_t (*read)(struct grpc_transport *t, void *data, size_t size);
    ssize_t (*write)(struct grpc_transport *t, const void *data, size_t length);
    void (*end)(struct grpc_transport *t); // no more writes; the peer reads what was written
    void (*close)(struct grpc_transport *t);
};

struct grpc_transport {
    const struct grpc_transport_ops *ops;
    int fd;
    short want; // POLLIN or POLLOUT: what the last AGAIN waits for
};

// Takes a connected or connecting socket and makes it non-blocking, without Nagle's delay.
void grpc_transport_tcp(struct grpc_transport *t, int fd);

static inline ssize_t grpc_transport_read(struct grpc_transport *t, void *data, size_t size)
{
    return t->ops->read(t, data, size);
}

static inline ssize_t grpc_transport_write(struct grpc_transport *t, const void *data,
                                           size_t length)
{
    return t->ops->write(t, data, length);
}

static inline void grpc_transport_end(struct grpc_transport *t)
{
    t->ops->end(t);
}

static inline void grpc_transport_close(struct grpc_transport *t)
{
    t->ops->close(t);
}

#endif
