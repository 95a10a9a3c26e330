// SPDX-License-Identifier: Apache-2.0
// The thread that carries spans to the collector, in batches, one at a time. create, stop,
// destroy: main; the queue: any thread.
//
//            queue has a batch, or the delay is over
//   WAITING ────────────────────────────────────────▶ SENDING ──▶ taken, refused: counted
//      ▲                                               │   ▲
//      └───────────────────────────────────────────────┘   │ 429, 502, 503, 504, no connection:
//                                                          └─ after a pause the same again, until
//                                                             OTEL_BSP_EXPORT_TIMEOUT is over
#ifndef ABACUS_TELEMETRY_EXPORTER_H
#define ABACUS_TELEMETRY_EXPORTER_H

#include "telemetry/otel_config.h"
#include "telemetry/span_queue.h"

struct exporter;

// config, resource: borrowed until destroy. *out: owned, end with exporter_stop and
// exporter_destroy.
MUST_USE bool exporter_create(struct exporter **out, const struct otel_config *config,
                              const struct otel_list *resource, struct err *err);

struct span_queue *exporter_queue(struct exporter *exporter);

// Exports what waits, for at most timeout_ms; what is left then is dropped and said.
void exporter_stop(struct exporter *exporter, int64_t timeout_ms);
void exporter_destroy(struct exporter *exporter); // after exporter_stop

#endif
