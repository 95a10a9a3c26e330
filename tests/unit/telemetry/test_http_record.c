// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http.h"

#include "http_client.h"
#include "metrics_rig.h"

#include <sched.h>
#include <time.h>

// --- the server ---
static void on_fine(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_answer(exchange, 200, "text/plain", "fine", 4);
}

static void on_broken(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_problem(exchange, 503, "away");
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

static void on_stream(struct http_exchange *exchange, void *ctx)
{
    http_answer_stream(exchange, "text/plain", on_read, on_open, on_close, ctx);
}

static const struct http_route routes[] = {
    {"GET", "/fine", on_fine, NULL},        {"GET", "/broken", on_broken, NULL},
    {"GET", "/item/{name}", on_fine, NULL}, {"POST", "/fine", on_fine, NULL},
    {"GET", "/stream", on_stream, NULL},
};

static int setup(void **state)
{
    const struct http_config config = {.address = "127.0.0.1", .threads = 2, .name = "test"};
    *state = http_serve(&config, routes, COUNT_OF(routes));
    return 0;
}

static int teardown(void **state)
{
    http_server_destroy(*state);
    return 0;
}

// --- what was recorded ---

// labels: those after the scheme. A request is recorded a moment after its answer was read.
static void wait_for_count(const char *labels, int count)
{
    char want[400];
    snprintf(want, sizeof(want),
             "\nhttp_server_request_duration_seconds_count{url_scheme=\"http\",%s} %d\n", labels,
             count);
    const time_t end = time(NULL) + CLIENT_TIMEOUT_S;
    for (;;) {
        char *page = expose(METRICS_TEXT);
        const bool there = strstr(page, want) != NULL;
        EXPECT(there || time(NULL) < end, "missing: %s in\n%s", want, page);
        free(page);
        if (there)
            return;
        sched_yield();
    }
}

static void ask(const struct http_server *server, const char *first_line)
{
    char request[200];
    snprintf(request, sizeof(request), "%s\r\nHost: test\r\nConnection: close\r\n\r\n", first_line);
    free(http_ask(http_server_port(server), request));
}

static const struct {
    const char *first_line, *labels;
} requests[] = {
    {"GET /fine HTTP/1.1",
     "http_request_method=\"GET\",http_route=\"/fine\",http_response_status_code=\"200\""},
    {"HEAD /fine HTTP/1.1",
     "http_request_method=\"HEAD\",http_route=\"/fine\",http_response_status_code=\"200\""},
    {"POST /fine HTTP/1.1",
     "http_request_method=\"POST\",http_route=\"/fine\",http_response_status_code=\"200\""},
    {"GET /item/17?x=1 HTTP/1.1", // the route, whatever the path
     "http_request_method=\"GET\",http_route=\"/item/{name}\",http_response_status_code=\"200\""},
    {"GET /broken HTTP/1.1", // only a failure of ours is an error
     "http_request_method=\"GET\",http_route=\"/broken\",http_response_status_code=\"503\","
     "error_type=\"503\""},
    {"GET /nowhere/at/all HTTP/1.1", // what clients make up is not a label
     "http_request_method=\"GET\",http_response_status_code=\"404\""},
    {"BREW /fine HTTP/1.1", "http_request_method=\"_OTHER\",http_response_status_code=\"405\""},
    {"GET http://test HTTP/1.1", "http_request_method=\"GET\",http_response_status_code=\"404\""},
    {"GET /%zz HTTP/1.1", "http_request_method=\"GET\",http_response_status_code=\"400\""},
};

static void a_request_is_counted_by_method_route_and_status(void **state)
{
    int not_found = 0;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        const bool again = strstr(requests[i].labels, "\"404\"") != NULL;
        not_found += again;
        ask(*state, requests[i].first_line);
        wait_for_count(requests[i].labels, again ? not_found : 1);
    }
}

static void a_refused_body_is_counted_too(void **state)
{
    free(http_ask(http_server_port(*state),
                  "POST /fine HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"));
    wait_for_count("http_request_method=\"POST\",http_response_status_code=\"411\"", 1);
}

static void requests_of_one_connection_are_counted_one_by_one(void **state)
{
    struct client *c = client_open(http_server_port(*state));
    char head[1000], body[100];
    for (int i = 0; i < 20; i++) {
        client_say(c, i % 2 == 0 ? "GET /item/a HTTP/1.1\r\nHost: test\r\n\r\n"
                                 : "GET /item/ HTTP/1.1\r\nHost: test\r\n\r\n");
        client_answer(c, head, sizeof(head), body, sizeof(body) - 1);
    }
    client_close(c);
    wait_for_count("http_request_method=\"GET\",http_route=\"/item/{name}\","
                   "http_response_status_code=\"200\"",
                   1 + 10);
}

static void a_stream_counts_when_it_ends_and_its_connection_while_it_is_open(void **state)
{
    static const char labels[] = "http_request_method=\"GET\",http_route=\"/stream\","
                                 "http_response_status_code=\"200\"";
    struct client *c = client_open(http_server_port(*state));
    char head[1000];
    client_say(c, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    expect_absent(METRICS_TEXT, labels);
    char *page = expose(METRICS_TEXT);
    assert_non_null(strstr(page, "\nabacus_http_connections{server=\"test\"} "));
    assert_null(strstr(page, "\nabacus_http_connections{server=\"test\"} 0\n"));
    free(page);
    client_close(c);
    wait_for_count(labels, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_counted_by_method_route_and_status),
        cmocka_unit_test(a_refused_body_is_counted_too),
        cmocka_unit_test(requests_of_one_connection_are_counted_one_by_one),
        cmocka_unit_test(a_stream_counts_when_it_ends_and_its_connection_while_it_is_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
