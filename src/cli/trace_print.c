// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_print.h"

#include "base/clock.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME_COLUMNS_MAX    48
#define SERVICE_COLUMNS_MAX 20
#define TIMES_COLUMNS       24 // "    0.000     1.234  " and the blanks before
#define BAR_COLUMNS_MIN     12
#define BAR_COLUMNS_MAX     60
#define BAR_COLUMNS_FILE    40
#define DEPTH_SHOWN_MAX     16

struct layout {
    const struct trace_look *look;
    const struct trace_tree *tree;
    size_t name, service, bar; // widths in columns
};

struct trace_look trace_look_of_stdout(void)
{
    struct trace_look look = {0};
    struct winsize size;
    if (!isatty(STDOUT_FILENO))
        return look;
    setlocale(LC_CTYPE, "");
    look.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    const char *no_color = getenv("NO_COLOR");
    look.colour = no_color == NULL || no_color[0] == '\0';
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        look.columns = size.ws_col;
    return look;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// --- text ---
// Appends the text, which may come from anywhere, at most `columns` wide, and says how wide. Bytes
// that go on a UTF-8 character take no column.
static size_t append_cut(struct bytes *out, const char *text, size_t columns, bool utf8)
{
    struct bytes safe = {0};
    size_t width = 0;
    bytes_append_printable(&safe, text, strlen(text));
    for (const uint8_t *at = safe.data; *at != '\0'; at++) {
        const bool goes_on = utf8 && (*at & 0xc0) == 0x80;
        if (!goes_on && width == columns)
            break;
        bytes_append(out, *at < 0x80 || utf8 ? at : (const uint8_t *)"?", 1);
        width += goes_on ? 0 : 1;
    }
    bytes_clear(&safe);
    return width;
}

static void append_padded(struct bytes *out, const char *text, size_t columns, bool utf8)
{
    const size_t width = append_cut(out, text, columns, utf8);
    bytes_printf(out, "%*s", (int)(columns - width), "");
}

static size_t indent_of(const struct trace_row *row)
{
    return 2 * (row->depth < DEPTH_SHOWN_MAX ? row->depth : DEPTH_SHOWN_MAX);
}

static double ms(int64_t ns)
{
    return (double)ns / (double)NS_PER_MS;
}

// --- one row ---
// Gives how many columns are left behind it.
static size_t append_bar(struct bytes *out, const struct layout *l, const struct trace_span *span)
{
    const char *block = l->look->utf8 ? "█" : "=";
    const double whole = (double)(l->tree->end_unix_ns - l->tree->begin_unix_ns);
    const double scale = whole > 0 ? (double)l->bar / whole : 0;
    size_t from = (size_t)((double)(span->begin_unix_ns - l->tree->begin_unix_ns) * scale);
    size_t to = (size_t)((double)(span->end_unix_ns - l->tree->begin_unix_ns) * scale);
    from = smaller(from, l->bar - 1);
    to = smaller(to > from ? to : from + 1, l->bar); // however short, it is seen
    bytes_printf(out, "%*s", (int)from, "");
    for (size_t i = from; i < to; i++)
        bytes_append_text(out, block);
    return l->bar - to;
}

static void append_remark(struct bytes *remarks, const char *remark)
{
    bytes_printf(remarks, "%s%s", remarks->length == 0 ? "" : ", ", remark);
}

static void append_remarks(struct bytes *remarks, const struct trace_row *row)
{
    char text[80];
    if (row->span->notes[0] != '\0')
        append_remark(remarks, row->span->notes);
    if (row->span->error != NULL)
        append_remark(remarks, row->span->error[0] != '\0' ? row->span->error : "failed");
    if (row->orphan) {
        snprintf(text, sizeof(text), "below %s, which is not here", row->span->parent_id);
        append_remark(remarks, text);
    }
    if (row->early_ns >= NS_PER_MS) {
        snprintf(text, sizeof(text), "%.3f ms before its parent: clocks differ", ms(row->early_ns));
        append_remark(remarks, text);
    }
}

static void append_row(struct bytes *out, const struct layout *l, const struct trace_row *row)
{
    const struct trace_look *look = l->look;
    const bool red = look->colour && row->span->error != NULL;
    const size_t indent = indent_of(row), fixed = l->name + l->service + TIMES_COLUMNS + l->bar;
    bytes_printf(out, "%s%*s", red ? "\033[31m" : "", (int)indent, "");
    append_padded(out, row->span->name, l->name - indent, look->utf8);
    bytes_append_text(out, "  ");
    append_padded(out, row->span->service, l->service, look->utf8);
    bytes_printf(out, " %9.3f %9.3f  ", ms(row->span->begin_unix_ns - l->tree->begin_unix_ns),
                 ms(row->span->end_unix_ns - row->span->begin_unix_ns));
    const size_t left = append_bar(out, l, row->span);
    struct bytes remarks = {0};
    append_remarks(&remarks, row);
    if (remarks.length > 0 && (look->columns == 0 || look->columns > fixed + 2)) {
        bytes_printf(out, "%*s", (int)left + 2, "");
        append_cut(out, (const char *)remarks.data,
                   look->columns == 0 ? SIZE_MAX : look->columns - fixed - 2, look->utf8);
    }
    bytes_clear(&remarks);
    bytes_printf(out, "%s\n", red ? "\033[0m" : "");
}

// --- the whole ---
// The bar gets what the terminal has left beside the longest remarks, within reason.
static void lay_out(struct layout *l)
{
    size_t longest = 0;
    l->name = strlen("span");
    l->service = strlen("service");
    for (size_t i = 0; i < l->tree->count; i++) {
        const struct trace_row *row = &l->tree->rows[i];
        const size_t name = indent_of(row) + strlen(row->span->name);
        const size_t service = strlen(row->span->service);
        struct bytes remarks = {0};
        append_remarks(&remarks, row);
        l->name = name > l->name ? name : l->name;
        l->service = service > l->service ? service : l->service;
        longest = remarks.length > longest ? remarks.length : longest;
        bytes_clear(&remarks);
    }
    l->name = smaller(l->name, NAME_COLUMNS_MAX);
    l->service = smaller(l->service, SERVICE_COLUMNS_MAX);
    const size_t fixed = l->name + l->service + TIMES_COLUMNS + 2 + longest;
    l->bar = BAR_COLUMNS_FILE;
    if (l->look->columns > 0)
        l->bar =
            l->look->columns > fixed + BAR_COLUMNS_MIN ? l->look->columns - fixed : BAR_COLUMNS_MIN;
    l->bar = smaller(l->bar, BAR_COLUMNS_MAX);
}

void trace_print(struct bytes *out, const char *trace_id, const struct trace_tree *tree,
                 const struct trace_look *look)
{
    struct layout l = {.look = look, .tree = tree};
    lay_out(&l);
    bytes_printf(out, "trace %s: %zu spans, %.3f ms\n\n", trace_id, tree->count,
                 ms(tree->end_unix_ns - tree->begin_unix_ns));
    bytes_printf(out, "%s%-*s  %-*s  begin ms   took ms%s\n", look->colour ? "\033[2m" : "",
                 (int)l.name, "span", (int)l.service, "service", look->colour ? "\033[0m" : "");
    for (size_t i = 0; i < tree->count; i++)
        append_row(out, &l, &tree->rows[i]);
}
