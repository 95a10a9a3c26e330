// SPDX-License-Identifier: Apache-2.0
#include "grpc/timeout.h"

#include "base/clock.h"

#include <stdio.h>

#define DIGITS_MAX 8
#define NUMBER_MAX INT64_C(99999999)

static const struct {
    char unit;
    int64_t ns;
} units[] = {
    {'n', 1},        {'u', NS_PER_US},     {'m', NS_PER_MS},
    {'S', NS_PER_S}, {'M', 60 * NS_PER_S}, {'H', 3600 * NS_PER_S},
};

bool grpc_timeout_parse(const char *text, size_t length, int64_t *timeout_ns)
{
    if (length < 2 || length > DIGITS_MAX + 1)
        return false;
    int64_t number = 0;
    for (size_t i = 0; i < length - 1; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (text[i] - '0');
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].unit != text[length - 1])
            continue;
        if (__builtin_mul_overflow(number, units[i].ns, timeout_ns))
            *timeout_ns = INT64_MAX;
        return true;
    }
    return false;
}

void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT_BYTES], int64_t timeout_ns)
{
    const int64_t ns = timeout_ns > 0 ? timeout_ns : 1;
    size_t i = 0;
    while (i < COUNT_OF(units) - 1 && (ns - 1) / units[i].ns + 1 > NUMBER_MAX)
        i++;
    const int64_t number = (ns - 1) / units[i].ns + 1;
    CHECK_INT(number, <=, NUMBER_MAX); // 292 years are 2.6 million hours
    snprintf(out, GRPC_TIMEOUT_TEXT_BYTES, "%d%c", (int)number, units[i].unit);
}
