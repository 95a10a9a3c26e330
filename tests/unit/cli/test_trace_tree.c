// SPDX-License-Identifier: Apache-2.0
// The tree of a trace, whatever order, copies, holes and clocks its spans come with.
#include "cli/trace_tree.h"

#include "base/bytes.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

static void add(struct trace_spans *spans, const char *id, const char *parent, const int64_t ms[2])
{
    const struct otlp_span span = {
        .span_id = id,
        .parent_id = parent,
        .name = id,
        .service = "",
        .begin_unix_ns = ms[0] * MS,
        .end_unix_ns = ms[1] * MS,
    };
    trace_spans_add(spans, &span);
}

// Spans as "id parent begin_ms end_ms", separated by '|'; parent "-": none.
static void add_all(struct trace_spans *spans, const char *text)
{
    char *words = strdup(text), *rest = words, *one;
    while ((one = strsep(&rest, "|")) != NULL) {
        char id[8], parent[8];
        int64_t ms[2];
        assert_int_equal(sscanf(one, "%7s %7s %ld %ld", id, parent, &ms[0], &ms[1]), 4);
        add(spans, id, strcmp(parent, "-") == 0 ? "" : parent, ms);
    }
    free(words);
}

// Rows as "depth:id", with ! for an orphan and the ms by which it began before its parent.
static void draw(struct bytes *out, const struct trace_tree *tree)
{
    bytes_append_text(out, "");
    for (size_t i = 0; i < tree->count; i++) {
        const struct trace_row *row = &tree->rows[i];
        bytes_printf(out, "%s%u:%s", i == 0 ? "" : " ", row->depth, row->span->span_id);
        if (row->orphan)
            bytes_append_text(out, "!");
        if (row->early_ns > 0)
            bytes_printf(out, "-%lld", (long long)(row->early_ns / MS));
    }
}

static const struct {
    const char *what, *spans, *want;
    int64_t begin_ms, end_ms;
} table[] = {
    {"one span", "a - 5 9", "0:a", 5, 9},
    {"children come in the order of their begin", "a - 0 9|c a 4 5|b a 1 2", "0:a 1:b 1:c", 0, 9},
    {"a child sent before its parent", "c b 2 3|b a 1 4|a - 0 9", "0:a 1:b 2:c", 0, 9},
    {"a subtree is whole before the next", "a - 0 9|b a 1 2|c a 3 4|d b 5 6", "0:a 1:b 2:d 1:c", 0,
     9},
    {"two roots", "b - 5 6|a - 0 9|c b 5 6", "0:a 0:b 1:c", 0, 9},
    {"an orphan stands at the top with what is below it", "b x 1 2|c b 1 2", "0:b! 1:c", 1, 2},
    {"root and orphan by begin", "a - 4 9|b x 1 2", "0:b! 0:a", 1, 9},
    {"a child that ends after its parent", "a - 0 2|b a 1 7", "0:a 1:b", 0, 7},
    {"clocks that differ", "a - 10 12|b a 3 5", "0:a 1:b-7", 3, 12},
    {"equal begins: by id", "a - 0 1|c a 0 1|b a 0 1", "0:a 1:b 1:c", 0, 1},
    {"a span that was sent twice", "a - 0 9|b a 1 2|b a 1 2|a - 0 9", "0:a 1:b", 0, 9},
    {"a span that is its own parent", "a a 0 1", "0:a!", 0, 1},
    {"a ring of parents", "a c 0 1|b a 1 2|c b 2 3", "0:a! 1:b 2:c", 0, 3},
};

static void spans_become_a_tree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct trace_spans spans = {.items = NULL};
        struct trace_tree tree;
        struct bytes got = {0};
        add_all(&spans, table[i].spans);
        trace_tree_build(&tree, &spans);
        draw(&got, &tree);
        EXPECT(strcmp((const char *)got.data, table[i].want) == 0, "%s: got %s, want %s",
               table[i].what, (const char *)got.data, table[i].want);
        EXPECT(tree.begin_unix_ns == table[i].begin_ms * MS &&
                   tree.end_unix_ns == table[i].end_ms * MS,
               "%s: from %lld to %lld ns", table[i].what, (long long)tree.begin_unix_ns,
               (long long)tree.end_unix_ns);
        bytes_clear(&got);
        trace_tree_clear(&tree);
        trace_spans_clear(&spans);
    }
}

static void nothing_is_an_empty_tree(void **state)
{
    (void)state;
    struct trace_spans spans = {.items = NULL};
    struct trace_tree tree;
    trace_tree_build(&tree, &spans);
    assert_int_equal(tree.count, 0);
    trace_tree_clear(&tree);
}

// A chain, then a fan: neither recursion nor a square of comparisons stands in the way.
static void thousands_of_spans_are_all_there(void **state)
{
    (void)state;
    struct trace_spans spans = {.items = NULL};
    struct trace_tree tree;
    char id[SPAN_ID_LENGTH + 1], parent[SPAN_ID_LENGTH + 1] = "";
    for (size_t i = 0; i < TRACE_SPANS_MAX + 5; i++) {
        snprintf(id, sizeof(id), "%016zx", i + 1);
        add(&spans, id, parent, (const int64_t[]){(int64_t)i, (int64_t)i + 1});
        if (i < TRACE_SPANS_MAX / 2)
            memcpy(parent, id, sizeof(parent));
    }
    assert_int_equal(spans.left_out, 5);
    trace_tree_build(&tree, &spans);
    assert_int_equal(tree.count, TRACE_SPANS_MAX);
    assert_int_equal(tree.orphans, 0);
    for (size_t i = 0; i < tree.count; i++) {
        const size_t depth = i < TRACE_SPANS_MAX / 2 ? i : TRACE_SPANS_MAX / 2;
        EXPECT(tree.rows[i].depth == depth, "row %zu: depth %u, want %zu", i, tree.rows[i].depth,
               depth);
    }
    trace_tree_clear(&tree);
    trace_spans_clear(&spans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_become_a_tree),
        cmocka_unit_test(nothing_is_an_empty_tree),
        cmocka_unit_test(thousands_of_spans_are_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
