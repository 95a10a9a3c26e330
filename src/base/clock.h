// SPDX-License-Identifier: Apache-2.0
// The two clocks, never mixed: _mono_ns measures durations and deadlines, _unix_us is wall time
// that others may read. Any thread.
#ifndef ABACUS_BASE_CLOCK_H
#define ABACUS_BASE_CLOCK_H

#include "base/base.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

int64_t clock_mono_ns(void);
int64_t clock_unix_us(void);

// RFC 3339 with microseconds in UTC, "2026-01-31T12:00:00.000001Z": always 27 characters.
#define CLOCK_RFC3339_BYTES 28
bool clock_is_rfc3339(int64_t unix_us); // years 1970 to 9999 can be written
void clock_format_rfc3339(char out[CLOCK_RFC3339_BYTES], int64_t unix_us);

// Reads RFC 3339 with 0 to 9 digits of fraction and any zone offset. False: not such a time.
MUST_USE bool clock_parse_rfc3339(const char *text, size_t length, int64_t *unix_us);

#endif
