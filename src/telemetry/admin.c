// SPDX-License-Identifier: Apache-2.0
#include "telemetry/admin.h"

#include "base/log.h"
#include "telemetry/metrics.h"
#include "telemetry/metrics_page.h"
#include "telemetry/process_metrics.h"

#include <stdlib.h>
#include <string.h>

#define OWN_ROUTES      5
#define CONNECTIONS_MAX 64 // probes, a scraper, people

struct admin {
    struct http_server *server;  // owned
    struct readiness *readiness; // borrowed
};

static void on_healthz(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    http_answer(exchange, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

static void on_readyz(struct http_exchange *exchange, void *ctx)
{
    struct readiness *readiness = ctx;
    const bool ready = readiness_get(readiness);
    struct bytes json = {0};
    readiness_json(readiness, &json);
    http_header_add(exchange, "Cache-Control", "no-store");
    http_answer(exchange, ready ? 200 : 503, "application/json", json.data, json.length);
    bytes_clear(&json);
}

static void on_log_level(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    struct bytes json = {0};
    bytes_printf(&json, "{\"level\":\"%s\"}", log_level_name(log_level_get()));
    http_header_add(exchange, "Cache-Control", "no-store");
    http_answer(exchange, 200, "application/json", json.data, json.length);
    bytes_clear(&json);
}

// Said while info is still heard, if it is at all.
static void log_level_change(enum log_level level)
{
    if (level <= LOG_INFO)
        log_level_set(level);
    log_info("admin", "log level is now %s", log_level_name(level));
    log_level_set(level);
}

static void on_log_level_post(struct http_exchange *exchange, void *ctx)
{
    const char *word = http_query(exchange, "level");
    enum log_level level;
    if (word == NULL || !log_level_parse(word, &level)) {
        http_problem(exchange, 400, "level: one of debug, info, warn, error");
        return;
    }
    if (level != log_level_get())
        log_level_change(level);
    on_log_level(exchange, ctx);
}

static void on_scrape(struct metrics_scrape *scrape, void *ctx)
{
    const struct admin *admin = ctx;
    readiness_put(admin->readiness, scrape);
    process_metrics_put(scrape);
}

bool admin_create(struct admin **out, const char *address, int port, struct readiness *readiness,
                  const struct http_route *routes, size_t count, struct err *err)
{
    const struct http_route own[OWN_ROUTES] = {
        {"GET", "/healthz", on_healthz, NULL},           {"GET", "/readyz", on_readyz, readiness},
        {"GET", "/metrics", metrics_page, NULL},         {"GET", "/log-level", on_log_level, NULL},
        {"POST", "/log-level", on_log_level_post, NULL},
    };
    struct http_route *all = xcalloc(OWN_ROUTES + count, sizeof(*all));
    memcpy(all, own, sizeof(own));
    if (count > 0)
        memcpy(all + OWN_ROUTES, routes, count * sizeof(*all));
    const struct http_config config = {.address = address,
                                       .port = port,
                                       .threads = 1,
                                       .connections_max = CONNECTIONS_MAX,
                                       .name = "admin"};
    struct http_server *server = NULL;
    const bool ok = http_server_create(&server, &config, all, OWN_ROUTES + count, err);
    free(all);
    if (!ok)
        return err_prefix(err, "admin endpoint");
    struct admin *admin = xcalloc(1, sizeof(*admin));
    admin->server = server;
    admin->readiness = readiness;
    metrics_collect(on_scrape, admin);
    *out = admin;
    return true;
}

int admin_port(const struct admin *admin)
{
    return http_server_port(admin->server);
}

void admin_destroy(struct admin *admin)
{
    if (admin == NULL)
        return;
    metrics_collect_end(admin);
    http_server_destroy(admin->server);
    free(admin);
}
