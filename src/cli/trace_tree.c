// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_PARENT SIZE_MAX

void trace_spans_add(struct trace_spans *spans, const struct otlp_span *span)
{
    if (spans->count == TRACE_SPANS_MAX) {
        spans->left_out++;
        return;
    }
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity == 0 ? 16 : 2 * spans->capacity;
        spans->items = xrealloc(spans->items, spans->capacity * sizeof(*spans->items));
    }
    struct trace_span *item = &spans->items[spans->count++];
    *item = (struct trace_span){
        .begin_unix_ns = span->begin_unix_ns,
        .end_unix_ns = span->end_unix_ns,
        .name = xstrdup(span->name),
        .service = xstrdup(span->service),
        .notes = otlp_span_notes(span),
        .error = span->error == NULL ? NULL : xstrdup(span->error),
    };
    snprintf(item->span_id, sizeof(item->span_id), "%s", span->span_id);
    snprintf(item->parent_id, sizeof(item->parent_id), "%s", span->parent_id);
}

static void span_clear(struct trace_span *span)
{
    free(span->name);
    free(span->service);
    free(span->notes);
    free(span->error);
}

void trace_spans_clear(struct trace_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++)
        span_clear(&spans->items[i]);
    free(spans->items);
    *spans = (struct trace_spans){.items = NULL};
}

// --- which span is whose ---
static int by_id(const void *left, const void *right)
{
    const struct trace_span *l = left, *r = right;
    return strcmp(l->span_id, r->span_id);
}

// Sorted by id. An exporter that heard no answer sends its spans again.
static void sort_and_drop_copies(struct trace_spans *spans)
{
    size_t kept = 0;
    if (spans->count > 0)
        qsort(spans->items, spans->count, sizeof(*spans->items), by_id);
    for (size_t i = 0; i < spans->count; i++) {
        if (kept > 0 && by_id(&spans->items[kept - 1], &spans->items[i]) == 0)
            span_clear(&spans->items[i]);
        else
            spans->items[kept++] = spans->items[i];
    }
    spans->count = kept;
}

static size_t parent_of(const struct trace_spans *spans, size_t index)
{
    struct trace_span wanted;
    memcpy(wanted.span_id, spans->items[index].parent_id, sizeof(wanted.span_id));
    const struct trace_span *found = NULL;
    if (wanted.span_id[0] != '\0')
        found = bsearch(&wanted, spans->items, spans->count, sizeof(wanted), by_id);
    return found == NULL ? NO_PARENT : (size_t)(found - spans->items);
}

// A span and whose child it is. Sorted, the children of each parent stand together, by begin.
struct bond {
    size_t parent, child;
    int64_t begin_unix_ns;
};

static int by_parent(const void *left, const void *right)
{
    const struct bond *l = left, *r = right;
    if (l->parent != r->parent)
        return l->parent < r->parent ? -1 : 1;
    if (l->begin_unix_ns != r->begin_unix_ns)
        return l->begin_unix_ns < r->begin_unix_ns ? -1 : 1;
    return l->child < r->child ? -1 : l->child > r->child;
}

static struct bond *bonds_create(const struct trace_spans *spans)
{
    struct bond *bonds = xcalloc(spans->count + 1, sizeof(*bonds));
    for (size_t i = 0; i < spans->count; i++)
        bonds[i] = (struct bond){parent_of(spans, i), i, spans->items[i].begin_unix_ns};
    qsort(bonds, spans->count, sizeof(*bonds), by_parent);
    return bonds;
}

// --- the walk ---
struct step {
    size_t span;
    unsigned depth;
};

struct walk {
    const struct trace_spans *spans;
    const struct bond *bonds;
    bool *visited;      // by span
    struct step *stack; // each span is on it once at most
    size_t height;
    struct trace_tree *tree;
};

// Where the children of a parent begin among the bonds.
static size_t first_bond(const struct walk *w, size_t parent)
{
    size_t low = 0, high = w->spans->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (w->bonds[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put_row(struct walk *w, const struct step *step)
{
    const struct trace_span *span = &w->spans->items[step->span];
    const size_t parent = step->depth > 0 ? parent_of(w->spans, step->span) : NO_PARENT;
    struct trace_row row = {.span = span, .depth = step->depth};
    row.orphan = step->depth == 0 && span->parent_id[0] != '\0';
    if (parent != NO_PARENT && span->begin_unix_ns < w->spans->items[parent].begin_unix_ns)
        row.early_ns = w->spans->items[parent].begin_unix_ns - span->begin_unix_ns;
    w->tree->orphans += row.orphan;
    w->tree->rows[w->tree->count++] = row;
}

static void push(struct walk *w, size_t span, unsigned depth)
{
    w->visited[span] = true;
    w->stack[w->height++] = (struct step){span, depth};
}

// The span and all below it, parents before children.
static void walk_from(struct walk *w, size_t top)
{
    push(w, top, 0);
    while (w->height > 0) {
        const struct step step = w->stack[--w->height];
        put_row(w, &step);
        // Last child first, so that the first is on top.
        for (size_t i = first_bond(w, step.span + 1); i > 0; i--) {
            const struct bond *bond = &w->bonds[i - 1];
            if (bond->parent != step.span)
                break;
            if (!w->visited[bond->child])
                push(w, bond->child, step.depth + 1);
        }
    }
}

static void measure(struct trace_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct trace_span *span = tree->rows[i].span;
        if (i == 0 || span->begin_unix_ns < tree->begin_unix_ns)
            tree->begin_unix_ns = span->begin_unix_ns;
        if (i == 0 || span->end_unix_ns > tree->end_unix_ns)
            tree->end_unix_ns = span->end_unix_ns;
    }
}

void trace_tree_build(struct trace_tree *out, struct trace_spans *spans)
{
    sort_and_drop_copies(spans);
    *out = (struct trace_tree){.rows = xcalloc(spans->count + 1, sizeof(*out->rows))};
    struct bond *bonds = bonds_create(spans);
    struct walk w = {
        .spans = spans,
        .bonds = bonds,
        .visited = xcalloc(spans->count + 1, sizeof(bool)),
        .stack = xcalloc(spans->count + 1, sizeof(struct step)),
        .tree = out,
    };
    for (size_t i = first_bond(&w, NO_PARENT); i < spans->count; i++)
        walk_from(&w, bonds[i].child);
    // What is left has a ring of parents, which no sane sender makes.
    for (size_t i = 0; i < spans->count; i++) {
        if (!w.visited[i])
            walk_from(&w, i);
    }
    CHECK_INT(out->count, ==, spans->count);
    measure(out);
    free(w.stack);
    free(w.visited);
    free(bonds);
}

void trace_tree_clear(struct trace_tree *tree)
{
    free(tree->rows);
    *tree = (struct trace_tree){.rows = NULL};
}
