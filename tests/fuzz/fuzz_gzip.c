// SPDX-License-Identifier: Apache-2.0
// A compressed message inflates to at most its limit, or is refused.
#include "grpc/gzip.h"

#include "fuzz.h"

#define LIMIT_BYTES 10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes out = {0};
    const enum grpc_gunzip outcome =
        grpc_gunzip(&out, (struct grpc_slice){data, size}, LIMIT_BYTES);
    if (outcome == GRPC_GUNZIP_OK)
        CHECK_INT(out.length, <=, LIMIT_BYTES);
    CHECK_INT(out.capacity, <=, 16 * LIMIT_BYTES);
    bytes_clear(&out);
    return 0;
}
