// SPDX-License-Identifier: Apache-2.0
// Any bytes become a JSON string that a JSON parser accepts.
#include "base/bytes.h"

#include "fuzz.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes out = {0};
    bytes_append_json_string(&out, (const char *)data, size);
    json_error_t error;
    json_t *parsed =
        json_loadb((const char *)out.data, out.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    CHECK(parsed != NULL && json_is_string(parsed));
    json_decref(parsed);
    bytes_clear(&out);
    return 0;
}
