// SPDX-License-Identifier: Apache-2.0
// The total as Server-Sent Events (WHATWG HTML §9.2): the newest state on connect, then whenever it
// has changed, at most about 20 times a second, and a comment every 15 s so that proxies keep the
// connection. A total is a state, so nothing is replayed: who reconnects gets the newest.
// create, destroy: main; changed: any thread; serve: the HTTP server's threads.
#ifndef ABACUS_TOTALS_STREAM_H
#define ABACUS_TOTALS_STREAM_H

#include "telemetry/http.h"
#include "totals/ledger.h"

#define STREAMS_MAX 1000 // each is a connection and half a KiB

struct stream_hub;

struct stream_hub *stream_hub_create(struct ledger *ledger); // borrowed
void stream_hub_end(struct stream_hub *hub);                 // streams end, new ones at once
void stream_hub_destroy(struct stream_hub *hub);             // the server is destroyed

size_t stream_hub_count(struct stream_hub *hub); // open streams; any thread

// The ledger has changed. Coalesces; costs a system call only when the hub sleeps.
void stream_hub_changed(struct stream_hub *hub);

// Answers with a stream. Always 200: any other status makes browsers give up for good.
void stream_hub_serve(struct stream_hub *hub, struct http_exchange *exchange);

#endif
