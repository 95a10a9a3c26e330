// SPDX-License-Identifier: Apache-2.0
// A client that sends what it is told and sees every byte of the answer, for the HTTP tests.
#ifndef ABACUS_TESTS_HTTP_CLIENT_H
#define ABACUS_TESTS_HTTP_CLIENT_H

#include "telemetry/http.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CLIENT_TIMEOUT_S 60 // a test that waits longer has failed

struct client {
    int fd;
    size_t length;
    char data[65536]; // received and not taken yet
};

// -1: refused.
static inline int client_connect(int port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline struct client *client_open(int port)
{
    struct client *c = xcalloc(1, sizeof(*c));
    c->fd = client_connect(port);
    EXPECT(c->fd >= 0, "cannot connect to port %d: %s", port, strerror(errno));
    return c;
}

static inline void client_close(struct client *c)
{
    close(c->fd);
    free(c);
}

// A server that refuses need not read on; its answer is there all the same.
static inline void client_write(struct client *c, const char *data, size_t length)
{
    while (length > 0) {
        const ssize_t n = send(c->fd, data, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return;
        EXPECT(n > 0, "cannot send: %s", strerror(errno));
        data += n;
        length -= (size_t)n;
    }
}

static inline void client_say(struct client *c, const char *text)
{
    client_write(c, text, strlen(text));
}

// Receives some more. False: the server has closed.
static inline bool client_receive(struct client *c)
{
    assert_true(c->length < sizeof(c->data));
    ssize_t n;
    do // with a time limit, a process that was stopped and goes on is interrupted (signal(7))
        n = recv(c->fd, c->data + c->length, sizeof(c->data) - c->length, 0);
    while (n < 0 && errno == EINTR);
    EXPECT(n >= 0 || errno == ECONNRESET, "nothing came: %s", strerror(errno));
    c->length += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static inline void client_drop(struct client *c, size_t length)
{
    c->length -= length;
    memmove(c->data, c->data + length, c->length);
}

// Takes the next length bytes into out and ends them.
static inline void client_take(struct client *c, char *out, size_t length)
{
    while (length > 0) {
        if (c->length == 0)
            EXPECT(client_receive(c), "the server closed, %zu bytes are missing", length);
        const size_t n = c->length < length ? c->length : length;
        memcpy(out, c->data, n);
        client_drop(c, n);
        out += n;
        length -= n;
    }
    *out = '\0';
}

// Takes all up to and with the next end, which out then ends in.
static inline void client_take_until(struct client *c, const char *end, char *out, size_t bytes)
{
    const char *found;
    while ((found = memmem(c->data, c->length, end, strlen(end))) == NULL)
        EXPECT(client_receive(c), "the server closed before \"%s\": %.*s", end, (int)c->length,
               c->data);
    const size_t length = (size_t)(found - c->data) + strlen(end);
    assert_true(length < bytes);
    client_take(c, out, length);
}

static inline void client_expect_closed(struct client *c)
{
    while (client_receive(c))
        ;
    EXPECT(c->length == 0, "not expected: %.*s", (int)c->length, c->data);
}

// Takes one answer with a Content-Length; head and body end in NUL.
static inline void client_answer(struct client *c, char *head, size_t head_bytes, char *body,
                                 size_t body_bytes)
{
    client_take_until(c, "\r\n\r\n", head, head_bytes);
    const char *length = strstr(head, "\r\nContent-Length: ");
    EXPECT(length != NULL, "no Content-Length: %s", head);
    const size_t bytes = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    assert_true(bytes < body_bytes);
    client_take(c, body, bytes);
}

// Takes one chunk of a stream; "": it was the last.
static inline void client_chunk(struct client *c, char *out, size_t bytes)
{
    char line[32];
    client_take_until(c, "\r\n", line, sizeof(line));
    const size_t length = strtoul(line, NULL, 16);
    assert_true(length < bytes);
    client_take(c, out, length);
    client_take_until(c, "\r\n", line, sizeof(line));
    assert_string_equal(line, "\r\n");
}

// One request on a connection of its own; returns all that came until the server closed. Owned.
static inline char *http_ask(int port, const char *request)
{
    struct client *c = client_open(port);
    client_say(c, request);
    while (client_receive(c))
        ;
    char *all = xcalloc(1, c->length + 1);
    memcpy(all, c->data, c->length);
    client_close(c);
    return all;
}

static inline bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static inline struct http_server *http_serve(const struct http_config *config,
                                             const struct http_route *routes, size_t count)
{
    struct http_server *server = NULL;
    struct err err;
    EXPECT(http_server_create(&server, config, routes, count, &err), "%s", err.text);
    return server;
}

#endif
