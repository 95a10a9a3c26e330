// SPDX-License-Identifier: Apache-2.0
#include "adder/collector.h"

#include "base/clock.h"
#include "store/observe.h"

static int64_t age_ns(int64_t since_unix_us)
{
    const int64_t now_unix_us = clock_unix_us();
    const bool past = since_unix_us > 0 && now_unix_us > since_unix_us;
    return past ? (now_unix_us - since_unix_us) * NS_PER_US : 0;
}

static void collect_outbox(struct metrics_scrape *scrape, const struct collector *c)
{
    struct outbox_stats stats;
    outbox_stats(c->outbox, &stats);
    METRIC_PUT(scrape, METRIC_OUTBOX_APPENDED, stats.appended, stats.source.text);
    METRIC_PUT(scrape, METRIC_OUTBOX_PUBLISHED, stats.published, stats.source.text);
    METRIC_PUT(scrape, METRIC_OUTBOX_BACKLOG, stats.appended - stats.published);
    METRIC_PUT(scrape, METRIC_OUTBOX_BACKLOG_LIMIT, c->config->backlog_max);
    METRIC_PUT(scrape, METRIC_OUTBOX_OLDEST_AGE, age_ns(stats.oldest_unix_us));
}

static void collect_writer(struct metrics_scrape *scrape, const struct collector *c)
{
    METRIC_PUT(scrape, METRIC_WRITER_QUEUE, (int64_t)writer_queue_length(c->writer));
    METRIC_PUT(scrape, METRIC_WRITER_QUEUE_LIMIT, (int64_t)writer_queue_places(c->writer));
}

static void collect_relay(struct metrics_scrape *scrape, struct relay *relay)
{
    struct relay_status status;
    relay_status(relay, &status);
    METRIC_PUT(scrape, METRIC_RELAY_CONNECTED, status.connected);
    METRIC_PUT(scrape, METRIC_RELAY_IN_FLIGHT, status.in_flight);
}

static void collect_server(struct metrics_scrape *scrape, struct grpc_server *server)
{
    const struct grpc_server_stats stats = grpc_server_stats(server);
    METRIC_PUT(scrape, METRIC_GRPC_CONNECTIONS, stats.connections);
    METRIC_PUT(scrape, METRIC_GRPC_CALLS, stats.calls);
}

void collector_collect(struct metrics_scrape *scrape, void *ctx)
{
    const struct collector *c = ctx;
    collect_outbox(scrape, c);
    store_files_put(scrape, "outbox", c->config->outbox);
    collect_writer(scrape, c);
    collect_relay(scrape, c->relay);
    collect_server(scrape, c->server);
}
