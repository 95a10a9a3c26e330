// SPDX-License-Identifier: Apache-2.0
#include "http_stub.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX 4096

struct http_stub {
    const char *answer;
    size_t length;
    int listen_fd, stop_fd;
    char url[64];
    pthread_t thread;
};

// False: a stop was asked for instead.
static bool await_readable(const struct http_stub *stub, int fd)
{
    struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = stub->stop_fd, .events = POLLIN}};
    while (poll(wait, COUNT_OF(wait), -1) < 0)
        continue;
    return wait[1].revents == 0;
}

static bool read_request(const struct http_stub *stub, int fd)
{
    char request[REQUEST_BYTES_MAX + 1];
    size_t length = 0;
    while (length < REQUEST_BYTES_MAX && await_readable(stub, fd)) {
        const ssize_t n = recv(fd, request + length, REQUEST_BYTES_MAX - length, 0);
        if (n <= 0)
            return false;
        length += (size_t)n;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

static void serve_one(const struct http_stub *stub, int fd)
{
    if (!read_request(stub, fd))
        return;
    if (stub->answer == NULL) {
        (void)await_readable(stub, fd); // until the client gives up
        return;
    }
    for (size_t at = 0; at < stub->length;) {
        const ssize_t n = send(fd, stub->answer + at, stub->length - at, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void *serve(void *arg)
{
    const struct http_stub *stub = arg;
    while (await_readable(stub, stub->listen_fd)) {
        const int fd = accept(stub->listen_fd, NULL, NULL);
        if (fd < 0)
            continue;
        serve_one(stub, fd);
        close(fd);
    }
    return NULL;
}

struct http_stub *http_stub_start(const char *answer, size_t length)
{
    struct http_stub *stub = xcalloc(1, sizeof(*stub));
    stub->answer = answer;
    stub->length = length;
    stub->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stub->stop_fd = eventfd(0, EFD_CLOEXEC);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    CHECK(bind(stub->listen_fd, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(stub->listen_fd, 8) == 0);
    CHECK(getsockname(stub->listen_fd, (struct sockaddr *)&address, &size) == 0);
    snprintf(stub->url, sizeof(stub->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    CHECK(pthread_create(&stub->thread, NULL, serve, stub) == 0);
    return stub;
}

const char *http_stub_url(const struct http_stub *stub)
{
    return stub->url;
}

void http_stub_stop(struct http_stub *stub)
{
    CHECK(eventfd_write(stub->stop_fd, 1) == 0);
    pthread_join(stub->thread, NULL);
    close(stub->listen_fd);
    close(stub->stop_fd);
    free(stub);
}
