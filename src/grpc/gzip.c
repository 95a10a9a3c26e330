// SPDX-License-Identifier: Apache-2.0
#include "grpc/gzip.h"

#include <zlib.h>

#define STEP_BYTES   16384
#define WINDOW_BITS  15
#define GZIP_WRAPPER 16 // zlib: added to the window bits it means a gzip header, RFC 1952

static enum grpc_gunzip inflate_all(z_stream *z, struct bytes *out, size_t limit_bytes)
{
    const size_t before = out->length;
    for (;;) {
        z->next_out = bytes_reserve(out, STEP_BYTES);
        z->avail_out = STEP_BYTES;
        const int rc = inflate(z, Z_NO_FLUSH);
        out->length += STEP_BYTES - z->avail_out;
        if (out->length - before > limit_bytes)
            return GRPC_GUNZIP_TOO_LARGE;
        if (rc == Z_STREAM_END)
            return z->avail_in == 0 ? GRPC_GUNZIP_OK : GRPC_GUNZIP_CORRUPT;
        if (rc != Z_OK || (z->avail_in == 0 && z->avail_out > 0))
            return GRPC_GUNZIP_CORRUPT;
    }
}

enum grpc_gunzip grpc_gunzip(struct bytes *out, struct grpc_slice packed, size_t limit_bytes)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)packed.data,
                  .avail_in = (uInt)packed.length};
    CHECK_INT(packed.length, <=, UINT32_MAX);
    CHECK_INT(inflateInit2(&z, WINDOW_BITS + GZIP_WRAPPER), ==, Z_OK);
    const enum grpc_gunzip result = inflate_all(&z, out, limit_bytes);
    inflateEnd(&z);
    return result;
}
