// SPDX-License-Identifier: Apache-2.0
// When to try a request again (OTLP specification, "OTLP/HTTP Throttling"). Pure.
#ifndef ABACUS_TELEMETRY_RETRY_H
#define ABACUS_TELEMETRY_RETRY_H

#include "base/base.h"

// Whatever the collector asks for, it is asked again after so long.
#define RETRY_AFTER_MAX_S 300

// Whether an answer with this status says that the same request may be sent again.
bool retry_status(long status);

// How long to wait after so many failures in a row (from 1). retry_after_s: what the collector
// asked for; 0 or less: nothing, so exponential back-off from 1 s to 5 s, of which the random
// number takes away up to a half, so that many programs do not come back at the same moment.
int64_t retry_delay_ms(int failures, int64_t retry_after_s, uint32_t random);

#endif
