// SPDX-License-Identifier: Apache-2.0
// The adder's own routes on the admin port:
//   GET  /source            what this outbox ever committed; `abacus-cli check` compares it
//   POST /replay?from=SEQ   publish again from there
// The handlers run on the admin server's threads.
#ifndef ABACUS_ADDER_ADMIN_ROUTES_H
#define ABACUS_ADDER_ADMIN_ROUTES_H

#include "adder/relay.h"
#include "telemetry/http.h"

struct admin_routes_context { // borrowed, outlives the admin server
    struct outbox *outbox;
    struct relay *relay;
};

#define ADMIN_ROUTES 2
void admin_routes(struct admin_routes_context *context, struct http_route out[ADMIN_ROUTES]);

#endif
