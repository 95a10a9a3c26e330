// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http_listen.h"

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

static int listening_socket(const struct addrinfo *at)
{
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int http_listen(const char *address, int *port, struct err *err)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", *port);
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int rc = getaddrinfo(address, service, &hints, &found);
    if (rc != 0) {
        err_set(err, ERR_INVALID, "listen on %s: %s", address, gai_strerror(rc));
        return -1;
    }
    const int fd = listening_socket(found);
    if (fd < 0)
        err_set(err, errno == EADDRINUSE ? ERR_BUSY : ERR_INVALID, "listen on %s port %d: %s",
                address, *port, strerror(errno));
    else
        *port = port_of(fd);
    freeaddrinfo(found);
    return fd;
}
