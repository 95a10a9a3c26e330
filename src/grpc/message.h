// SPDX-License-Identifier: Apache-2.0
// The frame around each gRPC message (gRPC PROTOCOL-HTTP2 "Length-Prefixed-Message"):
//
//   [ compressed: 0 or 1 ][ length: 4 bytes, big-endian ][ message: length bytes ]
//
// A reader takes the bytes of DATA frames in whatever pieces they come. Pure; a reader belongs to
// one thread at a time.
#ifndef ABACUS_GRPC_MESSAGE_H
#define ABACUS_GRPC_MESSAGE_H

#include "base/base.h"
#include "grpc/buffer.h"

struct grpc_slice { // borrowed bytes
    const uint8_t *data;
    size_t length;
};

#define GRPC_PREFIX_BYTES 5

// The prefix of an uncompressed message.
void grpc_prefix_write(uint8_t out[GRPC_PREFIX_BYTES], uint32_t length);

enum grpc_read {
    GRPC_READ_MORE,      // all input was taken
    GRPC_READ_MESSAGE,   // message and compressed are set; call again for the rest of the input
    GRPC_READ_TOO_LARGE, // the prefix announces more than limit_bytes; nothing was stored
    GRPC_READ_MALFORMED, // the first byte is neither 0 nor 1
};

// Messages up to this size need no allocation of their own.
#define GRPC_READER_SMALL_BYTES 128

// Memory grows with the bytes that came, not with what the prefix promises.
struct grpc_reader {
    // for the caller
    struct grpc_slice message; // borrowed until the next feed or clear
    bool compressed;
    // the reader's own
    size_t limit_bytes, length_bytes;
    struct grpc_buffer body;
    uint8_t prefix_filled_bytes, prefix[GRPC_PREFIX_BYTES];
    uint8_t small[GRPC_READER_SMALL_BYTES]; // where body begins: a reader must not be moved
};

void grpc_reader_init(struct grpc_reader *r, size_t limit_bytes);
void grpc_reader_clear(struct grpc_reader *r);

// Moves *input past what it took. After TOO_LARGE or MALFORMED only clear may follow.
enum grpc_read grpc_reader_feed(struct grpc_reader *r, struct grpc_slice *input);

// A message has begun and is not complete: at the end of the stream this is an error.
bool grpc_reader_midway(const struct grpc_reader *r);

#endif
