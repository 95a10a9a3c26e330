// SPDX-License-Identifier: Apache-2.0
// Decimals and UUIDs: what is accepted is written and read back as the same value.
#include "base/int128.h"
#include "base/uuid.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    __int128 wide, wide_again;
    int64_t narrow;
    const bool is_wide = int128_parse(text, size, &wide);
    if (is_wide) {
        char decimal[INT128_TEXT_BYTES];
        const size_t length = int128_format(decimal, wide);
        CHECK(int128_parse(decimal, length, &wide_again) && wide_again == wide);
    }
    if (int64_parse(text, size, &narrow))
        CHECK(is_wide && wide == narrow);
    struct uuid uuid, uuid_again;
    if (uuid_parse(text, size, &uuid)) {
        CHECK(uuid_parse(uuid.text, UUID_LENGTH, &uuid_again));
        CHECK(uuid_equal(&uuid, &uuid_again));
    }
    return 0;
}
