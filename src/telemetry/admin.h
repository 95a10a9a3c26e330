// SPDX-License-Identifier: Apache-2.0
// The admin endpoint of every service: /healthz (the process is alive: always 200), /readyz (200 or
// 503, JSON of what is wrong), /metrics (for Prometheus), /log-level (GET tells it, POST
// ?level=WORD changes it), and routes of the service's own. create, destroy: main.
#ifndef ABACUS_TELEMETRY_ADMIN_H
#define ABACUS_TELEMETRY_ADMIN_H

#include "telemetry/http.h"
#include "telemetry/readiness.h"

struct admin;

// routes: the service's own beside these; borrowed texts. *out: owned, end with admin_destroy.
MUST_USE bool admin_create(struct admin **out, const char *address, int port,
                           struct readiness *readiness, const struct http_route *routes,
                           size_t count, struct err *err);
int admin_port(const struct admin *admin);
void admin_destroy(struct admin *admin);

#endif
