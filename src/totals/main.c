// SPDX-License-Identifier: Apache-2.0
// abacus-totals: reads its configuration, creates its parts in order, runs, destroys in reverse.
//
//   Kafka ─▶ consumer ─▶ ledger ─▶ REST
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/stop.h"
#include "telemetry/admin.h"
#include "telemetry/trace.h"
#include "totals/collector.h"
#include "totals/config.h"
#include "totals/consumer.h"
#include "totals/ledger.h"
#include "totals/rest.h"

#include <unistd.h>

#define CONNECTIONS_MAX 2000 // of REST: 16 KiB each, so that 32 MiB is the most they take
#define FLUSH_SPARE_MS  100  // of the grace, for what comes after the last spans

enum condition { CONDITION_LEDGER, CONDITION_RUNNING };
static const char *const conditions[] = {"ledger", "running"};

struct totals { // all owned; NULL: not created yet
    struct totals_config config;
    int connections_max;
    struct readiness *readiness;
    struct ledger *ledger;
    struct stream_hub *streams;
    struct consumer *consumer;
    struct rest *rest;
    struct admin *admin;
    struct collector collector;
    int64_t end_mono_ns; // of the grace; 0: it has not begun
};

static void on_ledger_change(void *streams)
{
    stream_hub_changed(streams);
}

// --- create ---
static bool consumer_start(struct totals *t, struct err *err)
{
    const struct totals_config *c = &t->config;
    const int16_t replication = (int16_t)c->kafka_topic_replication;
    const struct consumer_config config = {
        .kafka = {c->kafka_bootstrap_servers, &c->kafka_properties},
        .topic = {c->kafka_topic, (int32_t)c->kafka_topic_partitions, replication},
        .dead_letter_topic = {c->kafka_dead_letter_topic, 1, replication},
        .group = c->kafka_group,
        .trace_shape = (enum trace_shape)c->trace_consumer,
        .readiness = t->readiness,
        .readiness_index = CONDITION_LEDGER,
    };
    return consumer_create(&t->consumer, &config, t->ledger, err);
}

static bool rest_start(struct totals *t, struct err *err)
{
    const struct rest_config config = {.address = t->config.http_address,
                                       .port = (int)t->config.http_port,
                                       .threads = (int)t->config.http_threads,
                                       .connections_max = t->connections_max,
                                       .streams = t->streams};
    return rest_create(&t->rest, &config, t->ledger, t->consumer, err) ||
           err_prefix(err, "--http-address, --http-port");
}

static bool admin_start(struct totals *t, struct err *err)
{
    return admin_create(&t->admin, t->config.admin_address, (int)t->config.admin_port, t->readiness,
                        NULL, 0, err) ||
           err_prefix(err, "--admin-address, --admin-port");
}

// Without their limit, readers could take the descriptors that Kafka and the admin port need.
static void connections_limit(struct totals *t)
{
    t->connections_max = (int)descriptors_allow(CONNECTIONS_MAX);
    if (t->connections_max < CONNECTIONS_MAX)
        log_warn("main", "the limit of open files allows %d connections only", t->connections_max);
}

// The ledger is the instance: it stays the same through restarts, and no two have one.
static void telemetry_start(struct totals *t)
{
    struct ledger_total total;
    ledger_total(t->ledger, &total);
    const struct trace_config config = {.service = "abacus-totals", .instance = total.ledger.text};
    trace_start(&config);
}

static void metrics_start(struct totals *t)
{
    t->collector = (struct collector){.ledger = t->ledger,
                                      .ledger_path = t->config.ledger,
                                      .consumer = t->consumer,
                                      .streams = t->streams};
    metrics_collect(collector_run, &t->collector);
}

static bool create(struct totals *t, struct err *err)
{
    connections_limit(t);
    t->readiness = readiness_create(conditions, COUNT_OF(conditions));
    if (!ledger_open(&t->ledger, t->config.ledger, err))
        return err_prefix(err, "--ledger");
    readiness_set(t->readiness, CONDITION_LEDGER, true, "");
    telemetry_start(t);
    t->streams = stream_hub_create(t->ledger);
    ledger_on_change(t->ledger, on_ledger_change, t->streams);
    if (!consumer_start(t, err) || !rest_start(t, err) || !admin_start(t, err))
        return false;
    metrics_start(t);
    return true;
}

// --- run ---

// Ready does not wait for Kafka: reads are answered from what is committed.
static void run(struct totals *t)
{
    readiness_set(t->readiness, CONDITION_RUNNING, true, "");
    log_info("main", "listening: http %s:%d, admin %s:%d", t->config.http_address,
             rest_port(t->rest), t->config.admin_address, admin_port(t->admin));
    while (!stop_wait(-1))
        continue;
}

static void stop_begin(struct totals *t)
{
    log_info("main", "stopping");
    readiness_set(t->readiness, CONDITION_RUNNING, false, "stopping");
    stop_limit(t->config.shutdown_grace_ms);
    t->end_mono_ns = clock_mono_ns() + t->config.shutdown_grace_ms * NS_PER_MS;
}

// The spans of the last commit too, but they get no more time than is left of the grace.
static void telemetry_stop(struct totals *t)
{
    const int64_t left_ms = (t->end_mono_ns - clock_mono_ns()) / NS_PER_MS - FLUSH_SPARE_MS;
    trace_stop(left_ms > 0 ? left_ms : 0);
}

// The consumer ends first, with its last commit: the streams still tell it before they end.
static void destroy(struct totals *t)
{
    if (t->consumer != NULL)
        consumer_stop(t->consumer);
    rest_destroy(t->rest);
    admin_destroy(t->admin);
    metrics_collect_end(&t->collector);
    consumer_destroy(t->consumer);
    stream_hub_destroy(t->streams);
    ledger_close(t->ledger);
    readiness_destroy(t->readiness);
    telemetry_stop(t);
}

int main(int argc, char **argv)
{
    struct totals totals = {.ledger = NULL};
    const enum options_outcome outcome = totals_config_read(&totals.config, argc, argv);
    if (outcome != OPTIONS_RUN)
        return outcome == OPTIONS_EXIT_OK ? 0 : 2;
    stop_init();
    struct err err;
    bool ok;
    if (totals.config.backup) {
        ok = ledger_backup(totals.config.ledger, STDOUT_FILENO, &err);
    } else if ((ok = create(&totals, &err))) {
        run(&totals);
        stop_begin(&totals);
    }
    if (!ok)
        log_error("main", "%s", err.text);
    destroy(&totals);
    if (ok)
        log_info("main", "stopped");
    return ok ? 0 : err.code == ERR_USAGE ? 2 : 1;
}
