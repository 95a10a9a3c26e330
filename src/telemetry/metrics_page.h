// SPDX-License-Identifier: Apache-2.0
// GET /metrics: the exposition in the format that the scraper asks for, compressed if it may be.
#ifndef ABACUS_TELEMETRY_METRICS_PAGE_H
#define ABACUS_TELEMETRY_METRICS_PAGE_H

#include "telemetry/http.h"

// A handler of http.h; ctx is not used.
void metrics_page(struct http_exchange *exchange, void *ctx);

#endif
