// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include <string.h>
#include <sys/random.h>

static bool is_dash_position(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

struct uuid uuid_random(void)
{
    uint8_t bytes[16];
    CHECK_INT(getrandom(bytes, sizeof(bytes), 0), ==, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); // version 4
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); // variant of RFC 9562 §4.1
    struct uuid out;
    char *at = out.text;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (is_dash_position((size_t)(at - out.text)))
            *at++ = '-';
        *at++ = "0123456789abcdef"[bytes[i] >> 4];
        *at++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *at = '\0';
    return out;
}

bool uuid_parse(const char *text, size_t length, struct uuid *out)
{
    if (length != UUID_LENGTH)
        return false;
    struct uuid parsed;
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (is_dash_position(i) ? c != '-' : !hex)
            return false;
        parsed.text[i] = c;
    }
    parsed.text[UUID_LENGTH] = '\0';
    *out = parsed;
    return true;
}

bool uuid_equal(const struct uuid *left, const struct uuid *right)
{
    return memcmp(left->text, right->text, UUID_LENGTH) == 0;
}
