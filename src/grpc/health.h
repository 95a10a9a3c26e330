// SPDX-License-Identifier: Apache-2.0
// grpc.health.v1.Health on our server: Check, Watch, List (grpc/grpc doc/health-checking.md, A90).
// create, destroy: main; set: any thread.
#ifndef ABACUS_GRPC_HEALTH_H
#define ABACUS_GRPC_HEALTH_H

#include "grpc/server.h"

struct grpc_health;

// services: names beside "" (the whole server), borrowed for ever. All begin NOT_SERVING.
struct grpc_health *grpc_health_create(const char *const *services, size_t count, int loops);
void grpc_health_destroy(struct grpc_health *health); // after the server

// The methods to hand to grpc_server_create: writes GRPC_HEALTH_METHODS rows.
#define GRPC_HEALTH_METHODS 3
void grpc_health_methods(struct grpc_health *health, struct grpc_method *out);
// Before grpc_server_start: lets every loop hear of changes (for Watch).
void grpc_health_attach(struct grpc_health *health, struct grpc_server *server);

// All services at once; watchers are told when it changes.
void grpc_health_set(struct grpc_health *health, bool serving);

#endif
