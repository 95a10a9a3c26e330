// SPDX-License-Identifier: Apache-2.0
#include "grpc/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &length), ==, 0);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static int bound_socket(const struct addrinfo *at, bool shared)
{
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || (shared && listen(fd, BACKLOG) < 0)) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int failed(const char *address, int port, struct err *err)
{
    const bool busy = errno == EADDRINUSE;
    err_set(err, busy ? ERR_BUSY : ERR_INVALID, "listen on %s port %d: %s", address, port,
            strerror(errno));
    return -1;
}

static struct addrinfo *resolve(const char *address, int port, struct err *err)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int rc = getaddrinfo(address, service, &hints, &found);
    if (rc != 0)
        err_set(err, ERR_INVALID, "listen on %s: %s", address, gai_strerror(rc));
    return rc == 0 ? found : NULL;
}

// A socket that shares its port may join a stranger's. One that does not share fails then, so it
// goes first, and finds the free port if none is given.
static bool port_claim(const char *address, int *port, struct err *err)
{
    struct addrinfo *at = resolve(address, *port, err);
    if (at == NULL)
        return false;
    const int fd = bound_socket(at, false);
    if (fd >= 0) {
        *port = port_of(fd);
        close(fd);
    } else {
        failed(address, *port, err);
    }
    freeaddrinfo(at);
    return fd >= 0;
}

int grpc_listen(const char *address, int *port, bool joining, struct err *err)
{
    if (!joining && !port_claim(address, port, err))
        return -1;
    struct addrinfo *at = resolve(address, *port, err);
    if (at == NULL)
        return -1;
    const int fd = bound_socket(at, true);
    if (fd < 0)
        failed(address, *port, err);
    freeaddrinfo(at);
    return fd;
}
