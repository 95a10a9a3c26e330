// SPDX-License-Identifier: Apache-2.0
// base: what every other folder stands on and nothing of the domain.
// Read in this order: base.h, err.h, log.h, options.h, clock.h, int128.h, uuid.h, bytes.h,
// mailbox.h (the only way between threads), listener.h, descriptors.h, stop.h. Uses libc only.
#ifndef ABACUS_BASE_H
#define ABACUS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE                        __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args)          __attribute__((format(printf, fmt, args), nonnull(fmt)))
#define COUNT_OF(array)                 (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

// CHECK is for our own bugs, never for input: it stays on in release builds, says what did not
// hold, and aborts. In a crash-safe system stopping is cheap and a wrong total is not.
#define CHECK(condition)                                  \
    do {                                                  \
        if (!(condition))                                 \
            check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

// Both values are shown: CHECK_INT(queued, <=, limit).
#define CHECK_INT(left, op, right)                                                     \
    do {                                                                               \
        const int64_t check_left = (int64_t)(left), check_right = (int64_t)(right);    \
        if (!(check_left op check_right))                                              \
            check_failed_int(__FILE__, __LINE__, #left " " #op " " #right, check_left, \
                             check_right);                                             \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *condition);
_Noreturn void check_failed_int(const char *file, int line, const char *condition, int64_t left,
                                int64_t right);

// Allocations that end the process when there is no memory: every size is bounded beforehand, and
// a branch that cannot be tested is worse than a restart. The caller owns the result: free().
void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *old, size_t bytes);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
