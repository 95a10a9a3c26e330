// SPDX-License-Identifier: Apache-2.0
// What the log is told of a batch that is committed: dead letters and missing ranges; with debug
// every event. Each line carries the event's source, sequence and trace. Any thread.
#ifndef ABACUS_TOTALS_BATCH_LOG_H
#define ABACUS_TOTALS_BATCH_LOG_H

#include "totals/batch.h"

void batch_log(const struct batch *b);

#endif
