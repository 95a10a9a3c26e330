// SPDX-License-Identifier: Apache-2.0
// RFC 3339: whatever is accepted can be written again, and reads back as the same instant.
#include "base/clock.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t unix_us, again;
    if (!clock_parse_rfc3339((const char *)data, size, &unix_us))
        return 0;
    char text[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(text, unix_us);
    CHECK(clock_parse_rfc3339(text, strlen(text), &again));
    CHECK_INT(again, ==, unix_us);
    return 0;
}
