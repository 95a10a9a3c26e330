// SPDX-License-Identifier: Apache-2.0
// What the adder's parts know anyhow, read when a scrape asks. On the scraper's thread.
#ifndef ABACUS_ADDER_COLLECTOR_H
#define ABACUS_ADDER_COLLECTOR_H

#include "adder/config.h"
#include "adder/relay.h"
#include "adder/writer.h"
#include "grpc/server.h"
#include "telemetry/metrics.h"

struct collector { // all borrowed, until metrics_collect_end
    const struct adder_config *config;
    struct outbox *outbox;
    struct relay *relay;
    struct writer *writer;
    struct grpc_server *server;
};

// For metrics_collect; ctx: a struct collector.
void collector_collect(struct metrics_scrape *scrape, void *ctx);

#endif
