// SPDX-License-Identifier: Apache-2.0
// abacus-cli trace [ID]: one trace as a tree and time line, read from the file that a collector
// writes (its file exporter, OTLP JSON). Without ID: the newest add's.
#include "base/clock.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "cli/lines_back.h"
#include "cli/trace_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADD_SPAN "abacus.v1.Adder/Add"
#define POLL_MS  100
// Services export within half a second, and the collector writes soon after: what is still missing
// of a trace that ended that long ago comes late, if ever.
#define SETTLE_MS 1500

struct show_config {
    const char *file;
    int64_t wait_ms;
};
#define FIELD(name) .offset = offsetof(struct show_config, name)
static const struct option table[] = {
    {"file", OPTION_TEXT, FIELD(file), ".run/observe/traces.json", .unit = "FILE",
     .text = "What the collector writes: OTLP JSON, one request a line."},
    {"wait-ms", OPTION_INT, FIELD(wait_ms), "5000", 0, INT32_MAX, .unit = "MS",
     .text = "How long to wait for spans that are still on their way."},
};

static const struct options_usage usage = {
    .program = "abacus-cli trace",
    .synopsis = "[OPTION]... [ID]",
    .purpose = "Shows one trace: what happened when, and for how long.\n"
               "ID: a trace id, or a whole traceparent; without it, the newest add's.\n"
               "Exit code 0: shown; 1: no such trace; 2: wrong arguments, or no file.",
    .positional_max = 1,
};

// --- what is asked for ---
// Some tools show ids in capitals; some hand on the whole traceparent.
static bool id_parse(const char *word, char id[TRACE_ID_LENGTH + 1], struct err *err)
{
    char *text = strlen(word) == TRACE_ID_LENGTH ? xasprintf("00-%s-0000000000000001-00", word)
                                                 : xstrdup(word);
    for (char *at = text; *at != '\0'; at++)
        *at = *at >= 'A' && *at <= 'F' ? (char)(*at - 'A' + 'a') : *at;
    struct trace_context context;
    const bool ok = trace_context_parse(text, strlen(text), &context);
    free(text);
    if (!ok)
        return err_set(err, ERR_USAGE, "\"%.100s\" is no trace id: %d hex digits", word,
                       TRACE_ID_LENGTH);
    memcpy(id, trace_context_ids(&context).trace_id, TRACE_ID_LENGTH + 1);
    return true;
}

// --- the newest add ---
struct newest {
    int64_t until_unix_ns; // what has ended by then is considered
    int64_t end_unix_ns;
    char trace_id[TRACE_ID_LENGTH + 1]; // "": none
};

static void on_any_span(const struct otlp_span *span, void *ctx)
{
    struct newest *newest = ctx;
    if (span->kind != SPAN_SERVER || strcmp(span->name, ADD_SPAN) != 0 ||
        span->end_unix_ns > newest->until_unix_ns || span->end_unix_ns < newest->end_unix_ns)
        return;
    newest->end_unix_ns = span->end_unix_ns;
    snprintf(newest->trace_id, sizeof(newest->trace_id), "%s", span->trace_id);
}

static bool on_line_for_newest(const char *line, size_t length, void *ctx)
{
    struct newest *newest = ctx;
    if (memmem(line, length, ADD_SPAN, strlen(ADD_SPAN)) != NULL)
        (void)trace_line_read(line, length, on_any_span, newest);
    return newest->trace_id[0] == '\0';
}

// --- one trace ---
struct search {
    int64_t asked_unix_ns;
    char trace_id[TRACE_ID_LENGTH + 1];
    struct trace_spans spans;
    struct trace_tree tree;
    size_t linked; // spans of other traces that link to this one
    char linked_id[TRACE_ID_LENGTH + 1];
};

static void on_span(const struct otlp_span *span, void *ctx)
{
    struct search *s = ctx;
    if (strcmp(span->trace_id, s->trace_id) == 0) {
        trace_spans_add(&s->spans, span);
    } else if (otlp_span_links_to(span, s->trace_id)) {
        s->linked++;
        memcpy(s->linked_id, span->trace_id, sizeof(s->linked_id));
    }
}

static bool on_line(const char *line, size_t length, void *ctx)
{
    struct search *s = ctx;
    if (memmem(line, length, s->trace_id, TRACE_ID_LENGTH) != NULL)
        (void)trace_line_read(line, length, on_span, s);
    return true;
}

static void search_clear(struct search *s)
{
    trace_tree_clear(&s->tree);
    trace_spans_clear(&s->spans);
    s->linked = 0;
}

static int64_t unix_ns(void)
{
    return clock_unix_us() * NS_PER_US;
}

static bool read_back(const char *file, bool (*each)(const char *, size_t, void *), void *ctx,
                      struct err *err)
{
    struct err why;
    return lines_back(file, each, ctx, &why) ||
           err_set(err, ERR_UNAVAILABLE, "%s (does ./abacus up --observe run?)", why.text);
}

// Reads the whole trace as the file has it now; when none is asked for, the newest.
static bool read_trace(const struct show_config *config, const char *asked, struct search *s,
                       struct err *err)
{
    search_clear(s);
    struct newest newest = {.until_unix_ns = s->asked_unix_ns};
    memcpy(s->trace_id, asked, sizeof(s->trace_id));
    if (asked[0] == '\0') {
        if (!read_back(config->file, on_line_for_newest, &newest, err))
            return false;
        memcpy(s->trace_id, newest.trace_id, sizeof(s->trace_id));
    }
    if (s->trace_id[0] != '\0' && !read_back(config->file, on_line, s, err))
        return false;
    trace_tree_build(&s->tree, &s->spans);
    return true;
}

// Whether nothing more is to be expected.
static bool is_settled(const struct search *s, int64_t wait_ms)
{
    const int64_t age_ns = unix_ns() - s->tree.end_unix_ns;
    return s->tree.count > 0 && age_ns > SETTLE_MS * NS_PER_MS &&
           (s->tree.orphans == 0 || age_ns > wait_ms * NS_PER_MS);
}

static bool await_trace(const struct show_config *config, const char *asked, struct search *s,
                        struct err *err)
{
    const int64_t end_mono_ns = clock_mono_ns() + config->wait_ms * NS_PER_MS;
    s->asked_unix_ns = unix_ns();
    // The newest add may have been made just now: its spans must have had the time to come.
    if (asked[0] == '\0')
        (void)stop_wait(config->wait_ms < SETTLE_MS ? (int)config->wait_ms : SETTLE_MS);
    for (;;) {
        if (!read_trace(config, asked, s, err))
            return false;
        if (is_settled(s, config->wait_ms) || clock_mono_ns() >= end_mono_ns || stop_wait(POLL_MS))
            break;
    }
    if (s->tree.count > 0)
        return true;
    return asked[0] != '\0'
               ? err_set(err, ERR_NOT_FOUND, "trace %s is not in %s", asked, config->file)
               : err_set(err, ERR_NOT_FOUND, "no trace of an add in %s yet: ./abacus add 2 3",
                         config->file);
}

static void show(const struct search *s)
{
    const struct trace_look look = trace_look_of_stdout();
    struct bytes text = {0};
    trace_print(&text, s->trace_id, &s->tree, &look);
    if (s->spans.left_out > 0)
        bytes_printf(&text, "and %zu more spans\n", s->spans.left_out);
    if (s->linked > 0)
        bytes_printf(&text, "\nspans elsewhere that link to it: %zu, such as in trace %s\n",
                     s->linked, s->linked_id);
    fputs((const char *)text.data, stdout);
    bytes_clear(&text);
}

int trace_main(int argc, char *const *argv)
{
    struct show_config config;
    struct option_list words;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &words);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    char asked[TRACE_ID_LENGTH + 1] = "";
    struct search search = {.linked = 0};
    struct err err;
    const bool ok = (words.count == 0 || id_parse(words.items[0], asked, &err)) &&
                    await_trace(&config, asked, &search, &err);
    if (ok)
        show(&search);
    else
        fprintf(stderr, "trace: %s\n", err.text);
    search_clear(&search);
    return ok ? CLI_OK : err.code == ERR_NOT_FOUND ? CLI_FAILED : CLI_UNKNOWN;
}
