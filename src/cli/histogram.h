// SPDX-License-Identifier: Apache-2.0
// A log-linear histogram: every power of two is cut into 128 equal parts, so that any value is
// known to within 0.8 % at a fixed cost of memory and a few instructions a sample. Pure.
//
//   values 0 … 255: a bucket each │ 256 … 511: 128 buckets of 2 │ 512 … 1023: 128 buckets of 4 │ …
#ifndef ABACUS_CLI_HISTOGRAM_H
#define ABACUS_CLI_HISTOGRAM_H

#include "base/base.h"

#define HISTOGRAM_BUCKETS 7296 // up to INT64_MAX

struct histogram { // zeroed: empty
    int64_t counts[HISTOGRAM_BUCKETS];
    int64_t count, max;
};

void histogram_add(struct histogram *h, int64_t value); // negative ones count as 0

// The smallest value that at least so much of all samples do not exceed, rounded up to its
// bucket's end (never above the largest sample). 0 when empty. share: 0 to 1.
int64_t histogram_percentile(const struct histogram *h, double share);

#endif
