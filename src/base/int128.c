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

// Apart from the above because division by ten costs many times less in 64 bits.
size_t int64_format(char out[INT64_TEXT_BYTES], int64_t value)
{
    char digits[INT64_TEXT_BYTES];
    char *first = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--first = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--first = '-';
    const size_t length = (size_t)(digits + sizeof(digits) - first);
    CHECK_INT(length, <, INT64_TEXT_BYTES);
    memcpy(out, first, length);
    out[length] = '\0';
    return length;
}

bool int64_parse(const char *text, size_t length, int64_t *value)
{
    const bool negative = length > 0 && text[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == length)
        return false;
    int64_t sum = 0; // grows away from zero, so that INT64_MIN needs no special case
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        const int64_t digit = negative ? '0' - text[i] : text[i] - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}
