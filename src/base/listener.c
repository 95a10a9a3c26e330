// SPDX-License-Identifier: Apache-2.0
#include "base/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &length), ==, 0);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

enum use { USE_BOUND, USE_LISTENING, USE_SHARED };

static int open_socket(const struct addrinfo *at, enum use use)
{
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (use == USE_SHARED)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 ||
        (use != USE_BOUND && listen(fd, SOMAXCONN) < 0)) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void failed(const char *address, int port, struct err *err)
{
    const bool busy = errno == EADDRINUSE;
    err_set(err, busy ? ERR_BUSY : ERR_INVALID, "listen on %s port %d: %s", address, port,
            strerror(errno));
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
static bool port_claim(const struct addrinfo *at, int *port)
{
    const int fd = open_socket(at, USE_BOUND);
    if (fd < 0)
        return false;
    *port = port_of(fd);
    close(fd);
    return true;
}

static void port_put(struct addrinfo *at, int port)
{
    if (at->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)(void *)at->ai_addr)->sin_port = htons((uint16_t)port);
}

int listener_open(const char *address, int *port, enum listener_kind kind, struct err *err)
{
    struct addrinfo *at = resolve(address, *port, err);
    if (at == NULL)
        return -1;
    int fd = -1;
    if (kind != LISTENER_FIRST || port_claim(at, port)) {
        port_put(at, *port);
        fd = open_socket(at, kind == LISTENER_ALONE ? USE_LISTENING : USE_SHARED);
    }
    if (fd < 0)
        failed(address, *port, err);
    else
        *port = port_of(fd);
    freeaddrinfo(at);
    return fd;
}
