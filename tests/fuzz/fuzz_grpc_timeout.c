// SPDX-License-Identifier: Apache-2.0
// grpc-timeout: what is accepted is written again as a time that is no shorter, and no more than a
// rounding to 8 digits longer.
#include "grpc/timeout.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t timeout_ns, again_ns;
    if (!grpc_timeout_parse((const char *)data, size, &timeout_ns))
        return 0;
    CHECK(timeout_ns >= 0);
    char text[GRPC_TIMEOUT_TEXT_BYTES];
    grpc_timeout_format(text, timeout_ns);
    CHECK(grpc_timeout_parse(text, strlen(text), &again_ns));
    CHECK_INT(again_ns, >=, timeout_ns);
    CHECK(again_ns - timeout_ns <= timeout_ns / 10000 + 1 || again_ns == INT64_MAX);
    return 0;
}
