// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: bug: this must hold: %s\n", file, line, condition);
    abort();
}

void check_failed_int(const char *file, int line, const char *condition, int64_t left,
                      int64_t right)
{
    fprintf(stderr, "%s:%d: bug: this must hold: %s (left %" PRId64 ", right %" PRId64 ")\n", file,
            line, condition, left, right);
    abort();
}

static void *or_die(void *memory, size_t bytes)
{
    if (memory == NULL && bytes > 0) {
        fprintf(stderr, "out of memory: %zu bytes refused\n", bytes);
        abort();
    }
    return memory;
}

void *xmalloc(size_t bytes)
{
    return or_die(malloc(bytes), bytes);
}

void *xcalloc(size_t count, size_t bytes)
{
    return or_die(calloc(count, bytes), count * bytes);
}

void *xrealloc(void *old, size_t bytes)
{
    return or_die(realloc(old, bytes), bytes);
}

char *xstrdup(const char *text)
{
    return or_die(strdup(text), strlen(text) + 1);
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    const int length = vasprintf(&text, fmt, args);
    va_end(args);
    return or_die(length < 0 ? NULL : text, 1);
}
