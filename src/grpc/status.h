// SPDX-License-Identifier: Apache-2.0
// gRPC status codes, and grpc-message's percent-encoding (gRPC PROTOCOL-HTTP2 "Status-Message").
// Pure, any thread.
#ifndef ABACUS_GRPC_STATUS_H
#define ABACUS_GRPC_STATUS_H

#include "base/base.h"
#include "base/bytes.h"

// grpc/grpc doc/statuscodes.md
#define GRPC_STATUSES(X)      \
    X(OK, 0)                  \
    X(CANCELLED, 1)           \
    X(UNKNOWN, 2)             \
    X(INVALID_ARGUMENT, 3)    \
    X(DEADLINE_EXCEEDED, 4)   \
    X(NOT_FOUND, 5)           \
    X(ALREADY_EXISTS, 6)      \
    X(PERMISSION_DENIED, 7)   \
    X(RESOURCE_EXHAUSTED, 8)  \
    X(FAILED_PRECONDITION, 9) \
    X(ABORTED, 10)            \
    X(OUT_OF_RANGE, 11)       \
    X(UNIMPLEMENTED, 12)      \
    X(INTERNAL, 13)           \
    X(UNAVAILABLE, 14)        \
    X(DATA_LOSS, 15)          \
    X(UNAUTHENTICATED, 16)

enum grpc_status {
#define GRPC_STATUS_ENUM(name, number) GRPC_##name = number,
    GRPC_STATUSES(GRPC_STATUS_ENUM)
#undef GRPC_STATUS_ENUM
};

// "OK", "CANCELLED" …; a number outside 0..16 is "UNKNOWN".
const char *grpc_status_name(int status);

// Whether the server has failed, not its client: what OpenTelemetry counts as an error of a server
// (semantic conventions, "gRPC").
bool grpc_status_is_server_error(enum grpc_status status);

// Bytes outside 0x20–0x7E and '%' become %XX; decode leaves what is not %XX as it is.
void grpc_message_encode(struct bytes *out, const char *text, size_t length);
void grpc_message_decode(struct bytes *out, const char *text, size_t length);

#endif
