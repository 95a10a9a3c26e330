// SPDX-License-Identifier: Apache-2.0
// Errors that go up: a code to branch on and a text to read. No allocation, any thread.
// A function that can fail returns bool, takes `struct err *err` last, is MUST_USE, and leaves
// *err alone when it succeeds. Each level says what it was doing: err_prefix(err, "open %s", path).
#ifndef ABACUS_BASE_ERR_H
#define ABACUS_BASE_ERR_H

#include "base/base.h"

#define ERR_TEXT_MAX 256

// One list: code, name in logs, whether trying the same again later can help.
#define ERR_CODES(X)                                                                        \
    X(ERR_INVALID, "invalid", false)         /* input breaks a rule */                      \
    X(ERR_USAGE, "usage", false)             /* an option or argument is wrong */           \
    X(ERR_NOT_FOUND, "not_found", false)     /* what was named does not exist */            \
    X(ERR_EXISTS, "exists", false)           /* it is there already, and differs */         \
    X(ERR_BUSY, "busy", false)               /* somebody else holds it */                   \
    X(ERR_CORRUPT, "corrupt", false)         /* what was stored is not what was written */  \
    X(ERR_UNSUPPORTED, "unsupported", false) /* newer or foreign format */                  \
    X(ERR_EXHAUSTED, "exhausted", true)      /* a limit is reached; nothing happened */     \
    X(ERR_UNAVAILABLE, "unavailable", true)  /* the other side is away; nothing happened */ \
    X(ERR_CONFLICT, "conflict", true)        /* compare-and-set lost: read again */         \
    X(ERR_UNKNOWN, "unknown", true)          /* it may have happened: read back before retrying */

enum err_code {
#define ERR_ENUM(code, name, retriable) code,
    ERR_CODES(ERR_ENUM)
#undef ERR_ENUM
};

struct err {
    enum err_code code;
    char text[ERR_TEXT_MAX];
};

// Both always return false, so that a failing function ends in `return err_set(err, …)`.
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *err_name(enum err_code code);
bool err_retriable(enum err_code code);

#endif
