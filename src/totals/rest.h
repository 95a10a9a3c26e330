// SPDX-License-Identifier: Apache-2.0
// The REST service: what the ledger says, to anyone. Described by openapi.json, which it serves.
//   GET /v1/total   /v1/total/stream (SSE)   /v1/sources   /v1/sources/{source}   /v1/partitions
//   GET /openapi.json
// create, destroy: main; handlers: the HTTP server's threads.
#ifndef ABACUS_TOTALS_REST_H
#define ABACUS_TOTALS_REST_H

#include "telemetry/http.h"
#include "totals/consumer.h"
#include "totals/ledger.h"
#include "totals/stream.h"

struct rest;

struct rest_config {
    const char *address;
    int port;                   // 0: a free one
    int threads;                // 1..64
    int connections_max;        // streams are some of them
    struct stream_hub *streams; // borrowed; hears of the ledger's changes
};

MUST_USE bool rest_create(struct rest **out, const struct rest_config *config,
                          struct ledger *ledger, struct consumer *consumer, struct err *err);
int rest_port(const struct rest *rest);
void rest_destroy(struct rest *rest); // ends streams, lets answers in flight finish

#endif
