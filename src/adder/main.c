// SPDX-License-Identifier: Apache-2.0
// abacus-adder: reads its configuration, creates its parts in order, runs, destroys in reverse.
//
//   gRPC loops ─▶ writer ─▶ outbox ◀─ relay ─▶ Kafka
#include "adder/add_service.h"
#include "adder/admin_routes.h"
#include "adder/call_metrics.h"
#include "adder/collector.h"
#include "adder/config.h"
#include "adder/outbox.h"
#include "adder/relay.h"
#include "adder/writer.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/stop.h"
#include "grpc/health.h"
#include "grpc/reflection.h"
#include "telemetry/admin.h"
#include "telemetry/trace.h"

#include "adder_descriptors.h"

#include <inttypes.h>
#include <unistd.h>

#define REPLAY_PROGRESS_MS 1000
#define CLOSE_MS           5000 // after the grace time: to end threads and close files

enum condition { CONDITION_OUTBOX, CONDITION_RUNNING };
static const char *const conditions[] = {"outbox", "running"};
static const char *const services[] = {"abacus.v1.Adder"};

struct adder { // all owned; NULL: not created yet
    struct adder_config config;
    struct outbox *outbox;
    struct readiness *readiness;
    struct relay *relay;
    struct writer *writer;
    struct add_service *service;
    struct call_metrics *calls;
    struct grpc_health *health;
    struct grpc_reflection *reflection;
    struct grpc_server *server;
    struct collector collector;
    struct admin_routes_context routes;
    struct admin *admin;
    int64_t end_mono_ns; // of the grace time; 0: nothing is waited for
};

static void on_committed(void *relay)
{
    relay_wake(relay);
}

static void on_readiness(bool ready, void *health)
{
    grpc_health_set(health, ready);
}

// --- create ---
static void tracing_start(struct adder *a)
{
    struct outbox_stats stats;
    outbox_stats(a->outbox, &stats);
    trace_start(&(struct trace_config){.service = "abacus-adder", .instance = stats.source.text});
}

// What replay needs too: the outbox, and the relay that begins to publish it.
static bool outbox_start(struct adder *a, struct err *err)
{
    const struct adder_config *c = &a->config;
    const struct outbox_config outbox = {c->outbox, c->retention_rows, c->retention_s};
    const struct relay_config relay = {
        .kafka = {c->kafka_bootstrap_servers, &c->kafka_properties},
        .topic = {c->kafka_topic, (int32_t)c->kafka_topic_partitions,
                  (int16_t)c->kafka_topic_replication},
    };
    if (!outbox_open(&a->outbox, &outbox, err))
        return false;
    if (outbox_is_backup(a->outbox) && !c->replay)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s is a backup: new sums would get the numbers of others and not be "
                       "counted; publish it with `abacus-adder replay`, and start on a new file",
                       c->outbox);
    tracing_start(a);
    return relay_create(&a->relay, &relay, a->outbox, err);
}

static void writer_make(struct adder *a)
{
    const struct writer_config config = {
        .queue_max = (size_t)a->config.queue_max,
        .wait_max_ms = a->config.queue_wait_max_ms,
        .backlog_max = a->config.backlog_max,
        .readiness = a->readiness,
        .readiness_index = CONDITION_OUTBOX,
        .on_committed = on_committed,
        .ctx = a->relay,
    };
    a->writer = writer_create(a->outbox, &config);
}

static uint32_t connections_max(const struct adder_config *config)
{
    const int64_t allowed = descriptors_allow(config->grpc_connections_max);
    if (allowed < config->grpc_connections_max)
        log_warn("main", "the limit of open files allows %" PRId64 " connections only", allowed);
    return (uint32_t)allowed;
}

#define METHODS (1 + GRPC_HEALTH_METHODS + GRPC_REFLECTION_METHODS)

static struct grpc_server_config server_config(struct adder *a)
{
    const struct adder_config *c = &a->config;
    return (struct grpc_server_config){
        .address = c->grpc_address,
        .port = (int)c->grpc_port,
        .loops = (int)c->io_threads,
        .streams_max = (uint32_t)c->grpc_streams_max,
        .connections_max = connections_max(c),
        .message_bytes_max = (uint32_t)c->grpc_message_bytes_max,
        .ping_interval_min_ms = c->grpc_ping_interval_min_ms,
        .resets_per_s = c->grpc_resets_per_s,
        .idle_max_ms = c->grpc_connection_idle_max_ms,
        .age_max_ms = c->grpc_connection_age_max_ms,
        .on_end = call_metrics_on_end,
        .on_end_ctx = a->calls,
    };
}

static bool grpc_create(struct adder *a, struct err *err)
{
    a->calls = call_metrics_create(METHODS);
    const struct grpc_server_config config = server_config(a);
    struct outbox_stats stats;
    outbox_stats(a->outbox, &stats);
    a->service = add_service_create(a->writer, &stats.source, config.loops);
    a->health = grpc_health_create(services, COUNT_OF(services), config.loops);
    const struct grpc_slice descriptors = {adder_descriptors, adder_descriptors_length};
    if (!grpc_reflection_create(&a->reflection, descriptors, err))
        return false;
    struct grpc_method methods[METHODS];
    methods[ADD_SERVICE_INDEX] = add_service_method(a->service);
    grpc_health_methods(a->health, methods + 1);
    grpc_reflection_methods(a->reflection, methods + 1 + GRPC_HEALTH_METHODS);
    if (!grpc_server_create(&a->server, &config, methods, COUNT_OF(methods), err))
        return err_prefix(err, "--grpc-address, --grpc-port");
    add_service_attach(a->service, a->server);
    grpc_health_attach(a->health, a->server);
    return true;
}

static bool admin_start(struct adder *a, struct err *err)
{
    const struct adder_config *c = &a->config;
    a->collector = (struct collector){c, a->outbox, a->relay, a->writer, a->server};
    metrics_collect(collector_collect, &a->collector);
    a->routes = (struct admin_routes_context){a->outbox, a->relay};
    struct http_route routes[ADMIN_ROUTES];
    admin_routes(&a->routes, routes);
    return admin_create(&a->admin, c->admin_address, (int)c->admin_port, a->readiness, routes,
                        ADMIN_ROUTES, err) ||
           err_prefix(err, "--admin-address, --admin-port");
}

static bool create(struct adder *a, struct err *err)
{
    a->readiness = readiness_create(conditions, COUNT_OF(conditions));
    if (!outbox_start(a, err))
        return false;
    writer_make(a);
    return grpc_create(a, err) && admin_start(a, err);
}

// --- run ---
static void run(struct adder *a)
{
    readiness_on_change(a->readiness, on_readiness, a->health);
    writer_start(a->writer);
    grpc_server_start(a->server);
    readiness_set(a->readiness, CONDITION_RUNNING, true, "");
    log_info("main", "listening: grpc %s:%d, admin %s:%d", a->config.grpc_address,
             grpc_server_port(a->server), a->config.admin_address, admin_port(a->admin));
    while (!stop_wait(-1))
        continue;
}

static void grace_begin(struct adder *a)
{
    a->end_mono_ns = clock_mono_ns() + a->config.shutdown_grace_ms * NS_PER_MS;
}

static int64_t grace_left_ms(const struct adder *a)
{
    const int64_t left_ns = a->end_mono_ns - clock_mono_ns();
    return left_ns > 0 ? left_ns / NS_PER_MS : 0;
}

// Each step leaves nothing behind that the next could lose: no new calls, no call without an
// answer, no add without its row, and as few rows as possible without Kafka's acknowledgement.
static void stop(struct adder *a)
{
    const int64_t grace_ms = a->config.shutdown_grace_ms;
    stop_limit(grace_ms + CLOSE_MS);
    grace_begin(a);
    log_info("main", "stopping: finishing calls in flight, at most %" PRId64 " ms", grace_ms);
    readiness_set(a->readiness, CONDITION_RUNNING, false, "stopping");
    if (!grpc_server_stop(a->server, grace_ms / 2))
        log_warn("main", "some calls were cut: their clients do not know whether they count");
    writer_stop(a->writer);
    if (!relay_stop(a->relay, grace_left_ms(a)))
        log_warn("main", "the outbox holds rows that Kafka has not acknowledged; the next start "
                         "publishes them");
}

// Spans go out last: until their threads have ended the parts may make some.
static void destroy(struct adder *a)
{
    metrics_collect_end(&a->collector);
    admin_destroy(a->admin);
    grpc_server_destroy(a->server);
    grpc_reflection_destroy(a->reflection);
    grpc_health_destroy(a->health);
    add_service_destroy(a->service);
    call_metrics_destroy(a->calls);
    writer_destroy(a->writer);
    relay_destroy(a->relay);
    outbox_close(a->outbox);
    readiness_destroy(a->readiness);
    trace_stop(grace_left_ms(a));
}

// --- the command replay ---
static bool replay(struct adder *a, struct err *err)
{
    if (!outbox_start(a, err) || !relay_replay(a->relay, a->config.from, err))
        return false;
    struct outbox_stats stats;
    do {
        outbox_stats(a->outbox, &stats);
        log_info("replay", "published up to %" PRId64 " of %" PRId64, stats.published,
                 stats.appended);
    } while (stats.published < stats.appended && !stop_wait(REPLAY_PROGRESS_MS));
    grace_begin(a);
    return relay_stop(a->relay, 0) ||
           err_set(err, ERR_UNAVAILABLE, "stopped before all was published");
}

int main(int argc, char **argv)
{
    struct adder adder = {.outbox = NULL};
    const enum options_outcome outcome = adder_config_read(&adder.config, argc, argv);
    if (outcome != OPTIONS_RUN)
        return outcome == OPTIONS_EXIT_OK ? 0 : 2;
    stop_init();
    struct err err;
    bool ok;
    if (adder.config.backup) {
        ok = outbox_backup(adder.config.outbox, STDOUT_FILENO, &err);
    } else if (adder.config.replay) {
        ok = replay(&adder, &err);
    } else if ((ok = create(&adder, &err))) {
        run(&adder);
        stop(&adder);
    }
    if (!ok)
        log_error("main", "%s", err.text);
    destroy(&adder);
    if (ok)
        log_info("main", "stopped");
    return ok ? 0 : err.code == ERR_USAGE ? 2 : 1;
}
