// SPDX-License-Identifier: Apache-2.0
// The grpc-timeout header: 1 to 8 digits and a unit of H M S m u n (gRPC PROTOCOL-HTTP2 "Timeout").
// Pure, any thread.
#ifndef ABACUS_GRPC_TIMEOUT_H
#define ABACUS_GRPC_TIMEOUT_H

#include "base/base.h"

// What does not fit into 64 bits of nanoseconds (292 years) becomes INT64_MAX.
MUST_USE bool grpc_timeout_parse(const char *text, size_t length, int64_t *timeout_ns);

// The finest unit that holds it in 8 digits, rounded up; less than 1 ns is written as "1n".
#define GRPC_TIMEOUT_TEXT_BYTES 10 // 8 digits, unit, end
void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT_BYTES], int64_t timeout_ns);

#endif
