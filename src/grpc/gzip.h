// SPDX-License-Identifier: Apache-2.0
// Inflates a gzip message, never to more than its limit. Pure, any thread.
#ifndef ABACUS_GRPC_GZIP_H
#define ABACUS_GRPC_GZIP_H

#include "base/bytes.h"
#include "grpc/message.h"

enum grpc_gunzip { GRPC_GUNZIP_OK, GRPC_GUNZIP_TOO_LARGE, GRPC_GUNZIP_CORRUPT };

// Appends to out. Bytes after the end of the stream, or an end that is missing, are corrupt.
enum grpc_gunzip grpc_gunzip(struct bytes *out, struct grpc_slice packed, size_t limit_bytes);

#endif
