// SPDX-License-Identifier: Apache-2.0
// What the operating system knows about this process, what the log has counted, and what the
// metrics themselves had to leave out.
#ifndef ABACUS_TELEMETRY_PROCESS_METRICS_H
#define ABACUS_TELEMETRY_PROCESS_METRICS_H

#include "telemetry/metrics.h"

void process_metrics_put(struct metrics_scrape *scrape);

#endif
