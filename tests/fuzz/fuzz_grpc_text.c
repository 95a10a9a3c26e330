// SPDX-License-Identifier: Apache-2.0
// The text forms of metadata: percent-encoded grpc-message and base64 of "-bin" names. Any bytes
// survive encoding and decoding; what others wrote decodes or is refused, within bounds.
#include "grpc/base64.h"
#include "grpc/status.h"

#include "fuzz.h"

static void expect_same(const struct bytes *out, const uint8_t *data, size_t size)
{
    CHECK_INT(out->length, ==, size);
    CHECK(size == 0 || memcmp(out->data, data, size) == 0);
}

static void expect_round_trips(const uint8_t *data, size_t size)
{
    struct bytes text = {0}, back = {0};
    grpc_base64_encode(&text, data, size);
    CHECK(grpc_base64_decode(&back, (const char *)text.data, text.length));
    expect_same(&back, data, size);
    bytes_reset(&text);
    bytes_reset(&back);
    grpc_message_encode(&text, (const char *)data, size);
    for (size_t i = 0; i < text.length; i++)
        CHECK(text.data[i] >= 0x20 && text.data[i] <= 0x7e);
    grpc_message_decode(&back, (const char *)text.data, text.length);
    expect_same(&back, data, size);
    bytes_clear(&text);
    bytes_clear(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    expect_round_trips(data, size);
    struct bytes decoded = {0};
    if (grpc_base64_decode(&decoded, (const char *)data, size))
        CHECK_INT(decoded.length, <=, size / 4 * 3 + 2);
    bytes_reset(&decoded);
    grpc_message_decode(&decoded, (const char *)data, size);
    CHECK_INT(decoded.length, <=, size);
    bytes_clear(&decoded);
    return 0;
}
