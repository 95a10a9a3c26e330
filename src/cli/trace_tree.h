// SPDX-License-Identifier: Apache-2.0
// The spans of one trace, and the tree that they make. Pure; one thread.
#ifndef ABACUS_CLI_TRACE_TREE_H
#define ABACUS_CLI_TRACE_TREE_H

#include "base/base.h"
#include "cli/trace_line.h"

#define TRACE_SPANS_MAX ((size_t)20000) // of one trace; the rest is only counted

struct trace_span {
    char span_id[SPAN_ID_LENGTH + 1], parent_id[SPAN_ID_LENGTH + 1];
    int64_t begin_unix_ns, end_unix_ns;
    char *name, *service, *notes; // owned
    char *error;                  // owned; NULL: none
};

// A zeroed struct is ready; clear frees it.
struct trace_spans {
    struct trace_span *items; // owned
    size_t count, capacity;
    size_t left_out; // more than TRACE_SPANS_MAX
};
void trace_spans_add(struct trace_spans *spans, const struct otlp_span *span);
void trace_spans_clear(struct trace_spans *spans);

// One line of the picture: a span below the one that it belongs to, siblings by their begin.
struct trace_row {
    const struct trace_span *span; // borrowed from the spans
    unsigned depth;                // 0: a root, or an orphan
    bool orphan;                   // its parent is not among the spans
    int64_t early_ns;              // so much it began before its parent, by another clock; else 0
};

struct trace_tree {
    struct trace_row *rows; // owned
    size_t count, orphans;
    int64_t begin_unix_ns, end_unix_ns; // of all spans
};

// Sorts the spans, and drops what an exporter sent twice. Every span gets one row, whatever its
// parents are.
void trace_tree_build(struct trace_tree *out, struct trace_spans *spans);
void trace_tree_clear(struct trace_tree *tree);

#endif
