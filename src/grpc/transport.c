// SPDX-License-Identifier: Apache-2.0
#include "grpc/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t outcome(struct grpc_transport *t, ssize_t n, short want)
{
    if (n >= 0)
        return n;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return GRPC_IO_FAILED;
    t->want = want;
    return GRPC_IO_AGAIN;
}

static ssize_t tcp_read(struct grpc_transport *t, void *data, size_t size)
{
    return outcome(t, recv(t->fd, data, size, 0), POLLIN);
}

static ssize_t tcp_write(struct grpc_transport *t, const void *data, size_t length)
{
    return outcome(t, send(t->fd, data, length, MSG_NOSIGNAL), POLLOUT);
}

static void tcp_end(struct grpc_transport *t)
{
    (void)shutdown(t->fd, SHUT_WR);
}

static void tcp_close(struct grpc_transport *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static const struct grpc_transport_ops tcp = {tcp_read, tcp_write, tcp_end, tcp_close};

void grpc_transport_tcp(struct grpc_transport *t, int fd)
{
    *t = (struct grpc_transport){.ops = &tcp, .fd = fd};
    const int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    const int on = 1; // each write is a whole batch already
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}
