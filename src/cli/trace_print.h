// SPDX-License-Identifier: Apache-2.0
// A trace as a small time line: one row a span, its bar where it was in the whole.
#ifndef ABACUS_CLI_TRACE_PRINT_H
#define ABACUS_CLI_TRACE_PRINT_H

#include "base/base.h"
#include "base/bytes.h"
#include "cli/trace_tree.h"

struct trace_look {
    size_t columns; // no row is longer; 0: no limit
    bool utf8, colour;
};

// What standard output is: a terminal's width and abilities, or a file.
struct trace_look trace_look_of_stdout(void);

void trace_print(struct bytes *out, const char *trace_id, const struct trace_tree *tree,
                 const struct trace_look *look);

#endif
