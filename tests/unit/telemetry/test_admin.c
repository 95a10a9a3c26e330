// SPDX-License-Identifier: Apache-2.0
#include "telemetry/admin.h"

#include "base/log.h"

#include "http_client.h"

enum { OUTBOX, KAFKA };
static const char *const conditions[] = {"outbox", "kafka"};

static void on_source(struct http_exchange *exchange, void *ctx)
{
    http_answer(exchange, 200, "application/json", ctx, strlen(ctx));
}

static const struct http_route routes[] = {{"GET", "/source", on_source, "{\"count\":\"5\"}"}};

struct world {
    struct readiness *readiness;
    struct admin *admin;
};

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err err;
    w->readiness = readiness_create(conditions, COUNT_OF(conditions));
    EXPECT(admin_create(&w->admin, "127.0.0.1", 0, w->readiness, routes, COUNT_OF(routes), &err),
           "%s", err.text);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    admin_destroy(w->admin);
    readiness_destroy(w->readiness);
    free(w);
    return 0;
}

// ask: method and path. body NULL: anything.
static void expect(const struct world *w, const char *ask, const char *status, const char *body)
{
    char request[200];
    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
             ask);
    char *all = http_ask(admin_port(w->admin), request);
    const char *found = strstr(all, "\r\n\r\n");
    EXPECT(found != NULL && starts_with(all + strlen("HTTP/1.1 "), status), "%s: got %s", ask, all);
    if (body != NULL)
        assert_string_equal(found + 4, body);
    free(all);
}

static void expect_answer(const struct world *w, const char *path, const char *status,
                          const char *body)
{
    char ask[100];
    snprintf(ask, sizeof(ask), "GET %s", path);
    expect(w, ask, status, body);
}

static void the_process_is_alive_whether_it_is_ready_or_not(void **state)
{
    struct world *w = *state;
    expect_answer(w, "/healthz", "200", "ok\n");
    readiness_set(w->readiness, OUTBOX, true, "");
    readiness_set(w->readiness, KAFKA, true, "");
    expect_answer(w, "/healthz", "200", "ok\n");
}

static void readyz_tells_what_is_wrong(void **state)
{
    struct world *w = *state;
    readiness_set(w->readiness, OUTBOX, true, "");
    readiness_set(w->readiness, KAFKA, false, "no broker answers");
    expect_answer(w, "/readyz", "503",
                  "{\"ready\":false,\"conditions\":"
                  "{\"outbox\":\"ok\",\"kafka\":\"no broker answers\"}}");
    readiness_set(w->readiness, KAFKA, true, "");
    expect_answer(w, "/readyz", "200",
                  "{\"ready\":true,\"conditions\":{\"outbox\":\"ok\",\"kafka\":\"ok\"}}");
}

static void the_log_level_is_told_and_changed(void **state)
{
    const struct world *w = *state;
    static const char *const words[] = {"debug", "info", "warn", "error", "info"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char ask[100], body[100];
        snprintf(ask, sizeof(ask), "POST /log-level?level=%s", words[i]);
        snprintf(body, sizeof(body), "{\"level\":\"%s\"}", words[i]);
        expect(w, ask, "200", body);
        assert_string_equal(log_level_name(log_level_get()), words[i]);
        expect(w, "GET /log-level", "200", body);
    }
}

static void what_is_no_log_level_is_refused_and_changes_nothing(void **state)
{
    const struct world *w = *state;
    static const char *const others[] = {"POST /log-level",
                                         "POST /log-level?level=", "POST /log-level?level=loud",
                                         "POST /log-level?level=INFO", "POST /log-level?debug"};
    log_level_set(LOG_WARN);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        expect(w, others[i], "400",
               "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
               "\"detail\":\"level: one of debug, info, warn, error\"}");
    expect(w, "GET /log-level", "200", "{\"level\":\"warn\"}");
    expect(w, "PUT /log-level?level=info", "405", NULL);
    log_level_set(LOG_INFO);
}

// fields: header fields beside the usual ones. *body: in the returned text, which is owned.
static char *scrape(const struct world *w, const char *fields, const char **body)
{
    char request[300];
    snprintf(request, sizeof(request),
             "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s\r\n", fields);
    char *all = http_ask(admin_port(w->admin), request);
    const char *found = strstr(all, "\r\n\r\n");
    EXPECT(found != NULL && starts_with(all, "HTTP/1.1 200"), "got %s", all);
    *body = found + 4;
    return all;
}

static void expect_text(const char *all, const char *text)
{
    EXPECT(strstr(all, text) != NULL, "missing: %s in\n%s", text, all);
}

static void metrics_come_in_the_format_that_is_asked_for(void **state)
{
    struct world *w = *state;
    const char *body;
    readiness_set(w->readiness, OUTBOX, true, "");
    readiness_set(w->readiness, KAFKA, false, "no broker answers");
    char *text = scrape(w, "", &body);
    expect_text(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    expect_text(body, "\nabacus_ready{condition=\"kafka\"} 0\n"
                      "abacus_ready{condition=\"outbox\"} 1\n");
    expect_text(body, "\n# TYPE process_cpu_time_seconds_total counter\n");
    free(text);
    text = scrape(w, "Accept: application/openmetrics-text; version=1.0.0\r\n", &body);
    expect_text(text, "\r\nContent-Type: application/openmetrics-text; version=1.0.0; "
                      "charset=utf-8\r\n");
    expect_text(body, "\n# TYPE process_cpu_time_seconds counter\n");
    expect_text(body, "\n# EOF\n");
    free(text);
    text = scrape(w, "Accept-Encoding: gzip\r\n", &body);
    expect_text(text, "\r\nContent-Encoding: gzip\r\n");
    assert_memory_equal(body, "\x1f\x8b", 2); // RFC 1952 §2.3.1
    free(text);
}

static void the_services_own_routes_stand_beside(void **state)
{
    expect_answer(*state, "/source", "200", "{\"count\":\"5\"}");
}

static void it_needs_no_routes_of_a_service(void **state)
{
    struct world bare = *(struct world *)*state;
    struct err err;
    assert_true(admin_create(&bare.admin, "127.0.0.1", 0, bare.readiness, NULL, 0, &err));
    expect_answer(&bare, "/healthz", "200", "ok\n");
    admin_destroy(bare.admin);
}

static void a_taken_port_is_an_error(void **state)
{
    const struct world *w = *state;
    struct admin *second;
    struct err err;
    assert_false(
        admin_create(&second, "127.0.0.1", admin_port(w->admin), w->readiness, NULL, 0, &err));
    assert_int_equal(err.code, ERR_BUSY);
    assert_true(starts_with(err.text, "admin endpoint: listen on 127.0.0.1 port "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_is_alive_whether_it_is_ready_or_not),
        cmocka_unit_test(readyz_tells_what_is_wrong),
        cmocka_unit_test(the_log_level_is_told_and_changed),
        cmocka_unit_test(what_is_no_log_level_is_refused_and_changes_nothing),
        cmocka_unit_test(metrics_come_in_the_format_that_is_asked_for),
        cmocka_unit_test(the_services_own_routes_stand_beside),
        cmocka_unit_test(it_needs_no_routes_of_a_service),
        cmocka_unit_test(a_taken_port_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
