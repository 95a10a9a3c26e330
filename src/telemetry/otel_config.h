// SPDX-License-Identifier: Apache-2.0
// What the OTEL_* environment variables ask of us (OpenTelemetry specification 1.60, configuration/
// sdk-environment-variables.md and protocol/exporter.md). An empty variable is an unset one. What
// makes no sense is logged, with what is done instead, and never ends the program.
#ifndef ABACUS_TELEMETRY_OTEL_CONFIG_H
#define ABACUS_TELEMETRY_OTEL_CONFIG_H

#include "telemetry/otel_list.h"
#include "telemetry/sampler.h"

struct otel_config {
    bool disabled;            // OTEL_SDK_DISABLED: no metrics either
    bool export;              // traces
    const char *service_name; // NULL: not given; texts are the environment's
    struct otel_list attributes;
    struct sampler sampler;
    int64_t schedule_delay_ms, export_timeout_ms, queue_max, batch_max;
    // where to and how; only read when export is true
    char *endpoint; // owned
    struct otel_list headers;
    int64_t timeout_ms; // 0: no limit of its own
    bool gzip;
    const char *certificate; // NULL: the system's
};

// Main thread: reads the environment. End with otel_config_clear.
void otel_config_read(struct otel_config *config);
void otel_config_clear(struct otel_config *config);

// The URL to post spans to, owned. base: of all signals (…_OTLP_ENDPOINT), to which the path of
// traces is appended; else as it is. NULL: not an http or https URL.
char *otel_endpoint(const char *url, bool base);
// The part of it that may be logged: without the "user:password@" that a URL may have.
const char *otel_endpoint_shown(const char *url);

#endif
