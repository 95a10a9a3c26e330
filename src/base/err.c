// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool retriable;
} codes[] = {
#define ERR_ROW(code, name, retriable) [code] = {name, retriable},
    ERR_CODES(ERR_ROW)
#undef ERR_ROW
};

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    err->code = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return false;
}

bool err_prefix(struct err *err, const char *fmt, ...)
{
    char cause[ERR_TEXT_MAX];
    memcpy(cause, err->text, sizeof(cause));
    va_list args;
    va_start(args, fmt);
    const int length = vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof(err->text))
        snprintf(err->text + length, sizeof(err->text) - (size_t)length, ": %s", cause);
    return false;
}

const char *err_name(enum err_code code)
{
    CHECK((size_t)code < COUNT_OF(codes));
    return codes[code].name;
}

bool err_retriable(enum err_code code)
{
    CHECK((size_t)code < COUNT_OF(codes));
    return codes[code].retriable;
}
