// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "http_client.h"

#include <pthread.h>
#include <stdatomic.h>

#define BIG_BYTES (16 * 1024 * 1024) // more than both sockets' buffers take
#define END_MS    30000              // of a server that a client holds up: else it hangs until idle

// --- the server under test ---
static void on_echo(struct http_exchange *exchange, void *ctx)
{
    const char *variable = http_variable(exchange), *limit = http_query(exchange, "limit"),
               *test = http_header(exchange, "x-test");
    struct bytes text = {0};
    bytes_printf(&text, "%s variable=%s limit=%s test=%s", (const char *)ctx,
                 variable != NULL ? variable : "-", limit != NULL ? limit : "-",
                 test != NULL ? test : "-");
    http_header_add(exchange, "Cache-Control", "no-cache");
    http_answer(exchange, 200, "text/plain", text.data, text.length);
    bytes_clear(&text);
}

static void on_empty(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_answer(exchange, 204, NULL, NULL, 0);
}

static void on_tagged(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    const char *known = http_header(exchange, "If-None-Match");
    const bool same = known != NULL && strcmp(known, "\"7\"") == 0;
    http_header_add(exchange, "ETag", "\"7\"");
    http_answer(exchange, same ? 304 : 200, "text/plain", "seven", 5);
}

static void on_problem(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_problem(exchange, 503, "the \"ledger\" is away for %d s", 5);
}

static void on_big(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    char *body = xmalloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        body[i] = (char)('a' + i % 23);
    http_answer(exchange, 200, "text/plain", body, BIG_BYTES);
    free(body);
}

static int64_t on_read(void *ctx, char *out, size_t max)
{
    (void)ctx, (void)out, (void)max;
    return 0;
}

static void on_open(void *ctx, struct http_stream *stream)
{
    (void)ctx, (void)stream;
}

static void on_close(void *ctx)
{
    (void)ctx;
}

static void on_silent_stream(struct http_exchange *exchange, void *ctx)
{
    http_answer_stream(exchange, "text/plain", on_read, on_open, on_close, ctx);
}

static const struct http_route routes[] = {
    {"GET", "/v1/total", on_echo, "total"},
    {"GET", "/v1/sources", on_echo, "sources"},
    {"GET", "/v1/sources/{source}", on_echo, "source"},
    {"POST", "/v1/sources", on_echo, "posted"},
    {"POST", "/v1/reset", on_echo, "reset"},
    {"GET", "/empty", on_empty, NULL},
    {"GET", "/tagged", on_tagged, NULL},
    {"GET", "/problem", on_problem, NULL},
    {"GET", "/big", on_big, NULL},
    {"GET", "/stream", on_silent_stream, NULL},
};

static struct http_server *serve(struct http_config config)
{
    config.address = "127.0.0.1";
    config.threads = config.threads > 0 ? config.threads : 1;
    return http_serve(&config, routes, COUNT_OF(routes));
}

static int setup(void **state)
{
    *state = serve((struct http_config){0});
    return 0;
}

static int teardown(void **state)
{
    http_server_destroy(*state);
    return 0;
}

struct row {
    const char *request; // without its blank line
    const char *status;
    const char *header; // is among the answer's; NULL: any
    const char *body;   // NULL: any
};

static void expect_answer(int port, const struct row *row)
{
    char request[1000];
    snprintf(request, sizeof(request), "%s\r\nHost: test\r\nConnection: close\r\n\r\n",
             row->request);
    char *all = http_ask(port, request);
    char *body = strstr(all, "\r\n\r\n");
    EXPECT(body != NULL && starts_with(all, "HTTP/1.1 ") && starts_with(all + 9, row->status),
           "%s: got %s", row->request, all);
    body[2] = '\0'; // the head with its last line's end
    char header[200];
    snprintf(header, sizeof(header), "\r\n%s\r\n", row->header != NULL ? row->header : "");
    EXPECT(row->header == NULL || strstr(all, header) != NULL, "%s: no \"%s\" in %s", row->request,
           row->header, all);
    EXPECT(row->body == NULL || strcmp(body + 4, row->body) == 0, "%s: body %s", row->request,
           body + 4);
    free(all);
}

static void expect_answers(struct http_server *server, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_answer(http_server_port(server), &rows[i]);
}

#define PROBLEM "Content-Type: application/problem+json"

static void a_request_reaches_its_route(void **state)
{
    static const struct row rows[] = {
        {"GET /v1/total HTTP/1.1", "200 OK", "Content-Type: text/plain",
         "total variable=- limit=- test=-"},
        {"GET /v1/total?limit=5&x HTTP/1.1\r\nX-TEST: yes", "200 OK", "Cache-Control: no-cache",
         "total variable=- limit=5 test=yes"},
        {"GET /v1/sources/a%2Fb%20c?limit=a%26b HTTP/1.1", "200 OK", NULL,
         "source variable=a/b c limit=a&b test=-"},
        {"GET http://elsewhere/v1/sources HTTP/1.1", "200 OK", NULL,
         "sources variable=- limit=- test=-"},
        {"POST /v1/sources HTTP/1.1\r\nContent-Length: 0", "200 OK", NULL,
         "posted variable=- limit=- test=-"},
        {"HEAD /v1/total HTTP/1.1", "200 OK", "Content-Length: 31", ""},
        {"GET /empty HTTP/1.1", "204 No Content", NULL, ""},
        {"GET /tagged HTTP/1.1", "200 OK", "ETag: \"7\"", "seven"},
        {"GET /tagged HTTP/1.1\r\nIf-None-Match: \"7\"", "304 Not Modified", "ETag: \"7\"", ""},
        {"GET /tagged HTTP/1.1\r\nIf-None-Match: \"7\"", "304 Not Modified", "Content-Length: 5",
         ""},
    };
    expect_answers(*state, rows, COUNT_OF(rows));
}

static void whatever_is_wrong_is_told_as_a_problem(void **state)
{
    static const struct row rows[] = {
        {"GET /nowhere HTTP/1.1", "404 Not Found", PROBLEM,
         "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
         "\"detail\":\"nothing is at /nowhere\"}"},
        {"GET /v1/sources/a/b HTTP/1.1", "404 Not Found", PROBLEM, NULL},
        {"HEAD /nowhere HTTP/1.1", "404 Not Found", PROBLEM, ""},
        {"DELETE /v1/sources HTTP/1.1", "405 Method Not Allowed", PROBLEM, NULL},
        {"DELETE /v1/sources HTTP/1.1", "405 Method Not Allowed", "Allow: GET, HEAD, POST",
         "{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\",\"status\":405,"
         "\"detail\":\"DELETE is not allowed here\"}"},
        {"HEAD /v1/reset HTTP/1.1", "405 Method Not Allowed", "Allow: POST", ""},
        {"get /v1/total HTTP/1.1", "405 Method Not Allowed", "Allow: GET, HEAD", NULL},
        {"GET /%zz HTTP/1.1", "400 Bad Request", PROBLEM, NULL},
        {"GET /v1/sources/%00 HTTP/1.1", "400 Bad Request", PROBLEM, NULL},
        {"GET /v1/total?limit=%1 HTTP/1.1", "400 Bad Request", PROBLEM, NULL},
        {"OPTIONS * HTTP/1.1", "400 Bad Request", PROBLEM, NULL},
        {"GET /problem HTTP/1.1", "503 Service Unavailable", PROBLEM,
         "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
         "\"detail\":\"the \\\"ledger\\\" is away for 5 s\"}"},
    };
    expect_answers(*state, rows, COUNT_OF(rows));
}

static void expect_status(int port, const char *request, const char *status)
{
    char *all = http_ask(port, request);
    EXPECT(starts_with(all, "HTTP/1.1 ") && starts_with(all + 9, status), "%.60s: got %.200s",
           request, all);
    free(all);
}

// Requests that libmicrohttpd refuses itself; the connection is closed after each.
static void what_is_not_http_is_refused(void **state)
{
    static const struct {
        const char *request, *status;
    } table[] = {
        {"GET /v1/total HTTP/1.1\r\n\r\n", "400"}, // no host
        {"GET /v1/total HTTP/9.9\r\nHost: test\r\n\r\n", "505"},
        {"GET /v1/total FTP/1.1\r\nHost: test\r\n\r\n", "400"},
        {"GET /v1/total HTTP/1.1\r\nno colon\r\nHost: test\r\n\r\n", "400"},
        {"POST /v1/reset HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n", "400"},
        {"POST /v1/reset HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n", "400"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_status(http_server_port(*state), table[i].request, table[i].status);
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    static char target[60000], header[60000];
    static char lots[40000];
    memset(lots, 'x', sizeof(lots) - 1);
    snprintf(target, sizeof(target), "GET /%s HTTP/1.1\r\nHost: test\r\n\r\n", lots);
    snprintf(header, sizeof(header), "GET / HTTP/1.1\r\nHost: test\r\nX: %s\r\n\r\n", lots);
    expect_status(http_server_port(*state), target, "414");
    expect_status(http_server_port(*state), header, "431");
}

static void bodies_are_dropped_up_to_a_limit(void **state)
{
    static char posted[70000];
    const int head = snprintf(posted, sizeof(posted),
                              "POST /v1/reset HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                              "Content-Length: 65536\r\n\r\n");
    memset(posted + head, 'x', 65536);
    expect_status(http_server_port(*state), posted, "200");
    static const char *const table[][2] = {
        {"POST /v1/reset HTTP/1.1\r\nHost: test\r\nContent-Length: 65537\r\n\r\n", "413"},
        {"POST /v1/reset HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999999999\r\n\r\n", "413"},
        {"GET /v1/total HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n", "413"},
        {"POST /v1/reset HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n", "411"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_status(http_server_port(*state), table[i][0], table[i][1]);
}

#define PIPELINED 500

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct client *c = client_open(http_server_port(*state));
    struct bytes all = {0};
    for (int i = 0; i < PIPELINED; i++)
        bytes_printf(&all, "GET /v1/sources/%d HTTP/1.1\r\nHost: test\r\n\r\n", i);
    client_write(c, (const char *)all.data, all.length);
    for (int i = 0; i < PIPELINED; i++) {
        char head[500], body[100], want[100];
        client_answer(c, head, sizeof(head), body, sizeof(body));
        snprintf(want, sizeof(want), "source variable=%d limit=- test=-", i);
        assert_string_equal(body, want);
    }
    bytes_clear(&all);
    client_close(c);
}

static void expect_big_body(struct client *c)
{
    char head[500];
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    char *body = xmalloc(BIG_BYTES + 1);
    client_take(c, body, BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        EXPECT(body[i] == (char)('a' + i % 23), "byte %zu is %d", i, body[i]);
    free(body);
}

static void a_big_answer_arrives_whole(void **state)
{
    struct client *c = client_open(http_server_port(*state));
    client_say(c, "GET /big HTTP/1.1\r\nHost: test\r\n\r\nGET /empty HTTP/1.1\r\nHost: t\r\n\r\n");
    expect_big_body(c);
    char head[500];
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    assert_true(starts_with(head, "HTTP/1.1 204 "));
    client_close(c);
}

// --- limits and life ---
static void more_connections_than_allowed_wait_for_one_to_end(void **state)
{
    (void)state;
    struct http_server *server = serve((struct http_config){.connections_max = 2});
    struct client *first = client_open(http_server_port(server));
    struct client *second = client_open(http_server_port(server));
    struct client *third = client_open(http_server_port(server)); // the kernel takes it
    char head[500], body[100];
    client_say(first, "GET /v1/total HTTP/1.1\r\nHost: test\r\n\r\n");
    client_answer(first, head, sizeof(head), body, sizeof(body));
    client_say(second, "GET /v1/total HTTP/1.1\r\nHost: test\r\n\r\n");
    client_answer(second, head, sizeof(head), body, sizeof(body));
    client_say(third, "GET /v1/total HTTP/1.1\r\nHost: test\r\n\r\n");
    char nothing;
    assert_int_equal(recv(third->fd, &nothing, 1, MSG_DONTWAIT), -1);
    client_close(first);
    client_answer(third, head, sizeof(head), body, sizeof(body));
    client_close(second);
    client_close(third);
    http_server_destroy(server);
}

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    struct http_server *server = serve((struct http_config){.idle_timeout_s = 1});
    struct client *silent = client_open(http_server_port(server));
    struct client *slow = client_open(http_server_port(server));
    client_say(slow, "GET /v1/total HTTP/1.1\r\nHo");
    client_expect_closed(silent);
    client_expect_closed(slow);
    client_close(silent);
    client_close(slow);
    http_server_destroy(server);
}

static void an_address_that_cannot_be_had_is_an_error(void **state)
{
    const int port = http_server_port(*state);
    struct http_config config = {.address = "127.0.0.1", .port = port, .threads = 1};
    struct http_server *server;
    struct err err;
    char text[100];
    assert_false(http_server_create(&server, &config, routes, COUNT_OF(routes), &err));
    assert_int_equal(err.code, ERR_BUSY);
    snprintf(text, sizeof(text), "listen on 127.0.0.1 port %d: Address already in use", port);
    assert_string_equal(err.text, text);
    config = (struct http_config){.address = "300.0.0.1.", .threads = 1};
    assert_false(http_server_create(&server, &config, routes, COUNT_OF(routes), &err));
    assert_int_equal(err.code, ERR_INVALID);
    config.address = "192.0.2.1"; // for documentation: not ours
    assert_false(http_server_create(&server, &config, routes, COUNT_OF(routes), &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void an_ipv6_address_works(void **state)
{
    (void)state;
    const struct http_config config = {.address = "::1", .threads = 1};
    struct http_server *server;
    struct err err;
    if (!http_server_create(&server, &config, routes, COUNT_OF(routes), &err))
        skip(); // there is no IPv6 here
    struct client c = {.fd = socket(AF_INET6, SOCK_STREAM, 0)};
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                                    .sin6_port = htons((uint16_t)http_server_port(server)),
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(connect(c.fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    client_say(&c, "GET /v1/total HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    char head[500], body[100];
    client_answer(&c, head, sizeof(head), body, sizeof(body));
    close(c.fd);
    http_server_destroy(server);
}

#define ASKERS        8
#define REQUESTS_EACH 300

static void *ask_often(void *arg)
{
    struct client *c = client_open(http_server_port(arg));
    for (int i = 0; i < REQUESTS_EACH; i++) {
        char request[200], want[100], head[500], body[100];
        snprintf(request, sizeof(request),
                 "GET /v1/sources/%d-%d?limit=%d HTTP/1.1\r\nHost: test\r\n\r\n", c->fd, i, i);
        client_say(c, request);
        client_answer(c, head, sizeof(head), body, sizeof(body));
        snprintf(want, sizeof(want), "source variable=%d-%d limit=%d test=-", c->fd, i, i);
        assert_string_equal(body, want);
    }
    client_close(c);
    return NULL;
}

static void several_threads_answer_many_clients(void **state)
{
    (void)state;
    struct http_server *server = serve((struct http_config){.threads = 3});
    pthread_t threads[ASKERS];
    for (int i = 0; i < ASKERS; i++)
        pthread_create(&threads[i], NULL, ask_often, server);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    http_server_destroy(server);
}

static void *destroy(void *server)
{
    http_server_destroy(server);
    return NULL;
}

static struct client *client_in_use(int port)
{
    struct client *c = client_open(port);
    char head[500], body[100];
    client_say(c, "GET /v1/total HTTP/1.1\r\nHost: test\r\n\r\n");
    client_answer(c, head, sizeof(head), body, sizeof(body));
    assert_null(strstr(head, "Connection: close"));
    return c;
}

static void the_end_of_the_server_lets_an_answer_finish(void **state)
{
    (void)state;
    struct http_server *server = serve((struct http_config){.drain_ms = CLIENT_TIMEOUT_S * 1000});
    const int port = http_server_port(server);
    struct client *big = client_open(port), *late = client_in_use(port),
                  *stream = client_in_use(port);
    client_say(big, "GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_true(client_receive(big)); // the answer has begun
    pthread_t thread;
    pthread_create(&thread, NULL, destroy, server);
    for (int fd; (fd = client_connect(port)) >= 0;)
        close(fd); // until nobody is let in any more
    char head[500], body[500];
    client_say(late, "GET /v1/total HTTP/1.1\r\nHost: test\r\n\r\n");
    client_answer(late, head, sizeof(head), body, sizeof(body));
    assert_non_null(strstr(head, "\r\nConnection: close\r\n"));
    client_expect_closed(late);
    client_say(stream, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
    client_take_until(stream, "\r\n\r\n", head, sizeof(head));
    client_chunk(stream, body, sizeof(body));
    assert_string_equal(body, ""); // ended as soon as it began
    client_expect_closed(stream);
    expect_big_body(big);
    pthread_join(thread, NULL);
    client_close(late);
    client_close(stream);
    client_close(big);
}

static void a_client_that_does_not_read_cannot_hold_the_end_up(void **state)
{
    (void)state;
    struct http_server *server = serve((struct http_config){0});
    struct client *c = client_open(http_server_port(server));
    client_say(c, "GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_true(client_receive(c));
    const int64_t begin_mono_ns = clock_mono_ns();
    http_server_destroy(server);
    const int64_t took_ms = (clock_mono_ns() - begin_mono_ns) / NS_PER_MS;
    EXPECT(took_ms < END_MS, "it took %d ms", (int)took_ms);
    client_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_reaches_its_route),
        cmocka_unit_test(whatever_is_wrong_is_told_as_a_problem),
        cmocka_unit_test(what_is_not_http_is_refused),
        cmocka_unit_test(a_head_that_is_too_large_is_refused),
        cmocka_unit_test(bodies_are_dropped_up_to_a_limit),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_big_answer_arrives_whole),
        cmocka_unit_test(more_connections_than_allowed_wait_for_one_to_end),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(an_address_that_cannot_be_had_is_an_error),
        cmocka_unit_test(an_ipv6_address_works),
        cmocka_unit_test(several_threads_answer_many_clients),
        cmocka_unit_test(the_end_of_the_server_lets_an_answer_finish),
        cmocka_unit_test(a_client_that_does_not_read_cannot_hold_the_end_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
