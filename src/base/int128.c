// SPDX-License-Identifier: Apache-2.0
#include "base/int128.h"

#include <string.h>

#define UINT128_MAX ((unsigned __int128)-1)
#define INT128_MAX  ((__int128)(UINT128_MAX >> 1))

size_t int128_format(char out[INT128_TEXT_BYTES], __int128 value)
{
    char digits[INT128_TEXT_BYTES];
    char *first = digits + sizeof(digits);
    // Negating in unsigned arithmetic is defined for the most negative value too.
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    do {
        *--first = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--first = '-';
    const size_t length = (size_t)(digits + sizeof(digits) - first);
    CHECK_INT(length, <, INT128_TEXT_BYTES);
    memcpy(out, first, length);
    out[length] = '\0';
    return length;
}

bool int128_parse(const char *text, size_t length, __int128 *value)
{
    const bool negative = length > 0 && text[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == length)
        return false;
    const unsigned __int128 limit = (unsigned __int128)INT128_MAX + (negative ? 1 : 0);
    unsigned __int128 sum = 0;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        const unsigned digit = (unsigned)(text[i] - '0');
        if (sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (__int128)-sum : (__int128)sum;
    return true;
}

bool int64_parse(const char *text, size_t length, int64_t *value)
{
    __int128 wide;
    if (!int128_parse(text, length, &wide) || wide < INT64_MIN || wide > INT64_MAX)
        return false;
    *value = (int64_t)wide;
    return true;
}
