// SPDX-License-Identifier: Apache-2.0
// gzip (RFC 1952) for what repeats itself: the lines of a scrape, the spans of a batch. Any thread.
#ifndef ABACUS_TELEMETRY_GZIP_H
#define ABACUS_TELEMETRY_GZIP_H

#include "base/bytes.h"

// Appends plain, compressed, as a whole gzip stream.
void gzip_append(struct bytes *out, const struct bytes *plain);

#endif
