// SPDX-License-Identifier: Apache-2.0
// What keeps a service from doing its job, as a list of named conditions. Any thread; create and
// destroy: main.
#ifndef ABACUS_TELEMETRY_READINESS_H
#define ABACUS_TELEMETRY_READINESS_H

#include "base/base.h"
#include "base/bytes.h"
#include "telemetry/metrics.h"

#define READINESS_CONDITIONS_MAX 8

struct readiness;

// names: each condition ("outbox", "kafka", "stopping"), borrowed for ever; all begin false with
// the reason "starting".
struct readiness *readiness_create(const char *const *names, size_t count);
void readiness_destroy(struct readiness *readiness);

// on_change is called with the overall state each time that changes, under no lock. Set before
// other threads start.
void readiness_on_change(struct readiness *readiness, void (*on_change)(bool ready, void *ctx),
                         void *ctx);

// index: the condition's place in names. reason: why it is false, copied; ignored when ok.
void readiness_set(struct readiness *readiness, size_t index, bool ok, const char *reason);
bool readiness_get(struct readiness *readiness);
// {"ready":false,"conditions":{"outbox":"ok","kafka":"no broker answers"}}
void readiness_json(struct readiness *readiness, struct bytes *out);
void readiness_put(struct readiness *readiness, struct metrics_scrape *scrape); // abacus_ready

#endif
