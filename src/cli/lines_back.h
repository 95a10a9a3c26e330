// SPDX-License-Identifier: Apache-2.0
// A file's lines from the last to the first, in bounded memory: what is sought in a file that grows
// is mostly near its end. One thread.
#ifndef ABACUS_CLI_LINES_BACK_H
#define ABACUS_CLI_LINES_BACK_H

#include "base/base.h"
#include "base/err.h"

#define LINES_BACK_LINE_MAX ((size_t)64 * 1024 * 1024)

// on_line gets each line without its end, borrowed for the call, until it says false or the file's
// beginning is reached. What follows the last line end is not whole yet and is left out.
// ERR_NOT_FOUND: no such file. ERR_CORRUPT: a line is longer than LINES_BACK_LINE_MAX.
MUST_USE bool lines_back(const char *path, bool (*on_line)(const char *line, size_t n, void *ctx),
                         void *ctx, struct err *err);

#endif
