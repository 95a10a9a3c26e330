// SPDX-License-Identifier: Apache-2.0
// How long gRPC calls take, by method and status. create, destroy: main; the rest: any loop.
#ifndef ABACUS_ADDER_CALL_METRICS_H
#define ABACUS_ADDER_CALL_METRICS_H

#include "grpc/server.h"

struct call_metrics;

struct call_metrics *call_metrics_create(size_t methods); // so many the server has
void call_metrics_destroy(struct call_metrics *m);        // after the server

// For grpc_server_config.on_end; ctx: a struct call_metrics.
void call_metrics_on_end(const struct grpc_call_end *end, void *ctx);

#endif
