// SPDX-License-Identifier: Apache-2.0
// Base64 for metadata whose name ends in "-bin" (gRPC PROTOCOL-HTTP2 "Custom-Metadata"): written
// without padding, read with or without. Pure, any thread.
#ifndef ABACUS_GRPC_BASE64_H
#define ABACUS_GRPC_BASE64_H

#include "base/base.h"
#include "base/bytes.h"

void grpc_base64_encode(struct bytes *out, const void *data, size_t length);

// Appends the bytes. False: not base64 (RFC 4648 §4); out may then hold a part.
MUST_USE bool grpc_base64_decode(struct bytes *out, const char *text, size_t length);

#endif
