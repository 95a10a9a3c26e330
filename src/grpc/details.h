// SPDX-License-Identifier: Apache-2.0
// The rich error model: google.rpc.Status with one ErrorInfo (AIP-193), the bytes of the trailer
// grpc-status-details-bin. Pure, any thread.
#ifndef ABACUS_GRPC_DETAILS_H
#define ABACUS_GRPC_DETAILS_H

#include "base/bytes.h"
#include "grpc/status.h"

#define GRPC_ERROR_DOMAIN "abacus.dev"

// Appends the encoded Status. reason: UPPER_SNAKE.
void grpc_details_encode(struct bytes *out, enum grpc_status status, const char *text,
                         const char *reason);

#endif
