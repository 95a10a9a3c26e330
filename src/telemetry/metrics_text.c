// SPDX-License-Identifier: Apache-2.0
// The two exposition formats. They differ in the name that a counter's TYPE and HELP carry, in
// UNIT, in escapes of HELP, in exemplars, and in the end; samples and their labels are the same, so
// that a series keeps its identity when a scraper changes the format.
#include "telemetry/metrics_state.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 40

struct page {
    struct bytes *out;
    bool openmetrics;
};

static char *target; // owned; set before other threads start

void metrics_target_set(const char *labels)
{
    free(target);
    target = xstrdup(labels);
}

// --- numbers ---

// All digits that are there and none that are not: 1500000000 is "1.5".
static void seconds_print(char out[NUMBER_BYTES], int64_t ns)
{
    const uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    int length = snprintf(out, NUMBER_BYTES, "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "",
                          size / (uint64_t)NS_PER_S, size % (uint64_t)NS_PER_S);
    while (out[length - 1] == '0')
        out[--length] = '\0';
    if (out[length - 1] == '.')
        out[--length] = '\0';
}

static void value_print(char out[NUMBER_BYTES], enum metric_unit unit, int64_t value)
{
    if (unit == METRIC_UNIT_SECONDS)
        seconds_print(out, value);
    else
        snprintf(out, NUMBER_BYTES, "%" PRId64, value);
}

// The shorter text, if it reads back as the same number.
static void double_print(char out[NUMBER_BYTES], double value)
{
    snprintf(out, NUMBER_BYTES, "%.15g", value);
    if (strtod(out, NULL) != value)
        snprintf(out, NUMBER_BYTES, "%.17g", value);
}

// Canonical in OpenMetrics: a number with a point or an exponent.
static void bound_print(char out[NUMBER_BYTES], enum metric_unit unit, int64_t bound)
{
    const double scale = unit == METRIC_UNIT_SECONDS ? 1e9 : 1;
    snprintf(out, NUMBER_BYTES, "%g", (double)bound / scale);
    if (strpbrk(out, ".e") == NULL)
        strncat(out, ".0", NUMBER_BYTES - strlen(out) - 1);
}

// --- a metric ---
static void head(const struct page *page, const struct metric_info *info)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    static const char *const units[] = {"seconds", "bytes", NULL};
    const char *suffix = info->kind == METRIC_KIND_COUNTER && !page->openmetrics ? "_total" : "";
    bytes_printf(page->out, "# HELP %s%s ", info->name, suffix);
    metric_escape(page->out, info->help, strlen(info->help), page->openmetrics);
    bytes_printf(page->out, "\n# TYPE %s%s %s\n", info->name, suffix, kinds[info->kind]);
    if (page->openmetrics && units[info->unit] != NULL)
        bytes_printf(page->out, "# UNIT %s %s\n", info->name, units[info->unit]);
}

static void line(const struct page *page, const char *name, const char *labels, const char *value)
{
    const bool bare = labels[0] == '\0';
    bytes_printf(page->out, "%s%s%s%s %s\n", name, bare ? "" : "{", labels, bare ? "" : "}", value);
}

static void single(const struct page *page, const struct metric_info *info,
                   const struct metric_sample *sample)
{
    char name[128], value[NUMBER_BYTES];
    snprintf(name, sizeof(name), "%s%s", info->name,
             info->kind == METRIC_KIND_COUNTER ? "_total" : "");
    value_print(value, info->unit, sample->value);
    line(page, name, sample->labels, value);
}

// --- a histogram ---
static void exemplar(const struct page *page, const struct metric_info *info, uint32_t cell)
{
    const struct metric_exemplar e = metric_cell_exemplar(cell);
    if (e.unix_us == 0)
        return;
    const struct trace_ids ids = trace_context_ids(&e.context);
    char value[NUMBER_BYTES];
    value_print(value, info->unit, e.value);
    bytes_printf(page->out, " # {trace_id=\"%s\",span_id=\"%s\"} %s %" PRId64 ".%06" PRId64,
                 ids.trace_id, ids.span_id, value, e.unix_us / 1000000, e.unix_us % 1000000);
}

static void bucket(const struct page *page, const struct metric_sample *sample, size_t i,
                   int64_t count)
{
    const struct metric_info *info = metric_info(sample->id);
    const struct bucket_set *set = bucket_set(info->buckets);
    char bound[NUMBER_BYTES] = "+Inf";
    if (i < set->count)
        bound_print(bound, info->unit, set->bounds[i]);
    bytes_printf(page->out, "%s_bucket{%s%sle=\"%s\"} %" PRId64, info->name, sample->labels,
                 sample->labels[0] != '\0' ? "," : "", bound, count);
    if (page->openmetrics)
        exemplar(page, info, sample->series.cell + (uint32_t)i);
    bytes_append_text(page->out, "\n");
}

// The count is the sum of the buckets, read once: the two cannot differ.
static void histogram(const struct page *page, const struct metric_info *info,
                      const struct metric_sample *sample)
{
    const size_t bounds = bucket_set(info->buckets)->count;
    int64_t count = 0;
    for (size_t i = 0; i <= bounds; i++) {
        count += metric_cell_count(sample->series.cell + (uint32_t)i);
        bucket(page, sample, i, count);
    }
    const double sum = metric_cell_sum(sample->series.cell + (uint32_t)bounds + 1);
    char name[128], value[NUMBER_BYTES];
    snprintf(name, sizeof(name), "%s_sum", info->name);
    double_print(value, info->unit == METRIC_UNIT_SECONDS ? sum / 1e9 : sum);
    line(page, name, sample->labels, value);
    snprintf(name, sizeof(name), "%s_count", info->name);
    value_print(value, METRIC_UNIT_NONE, count);
    line(page, name, sample->labels, value);
}

// --- the page ---
static void target_info(const struct page *page)
{
    if (target == NULL || target[0] == '\0')
        return;
    const char *const head = page->openmetrics ? "# HELP target Who this process is.\n"
                                                 "# TYPE target info\n"
                                               : "# HELP target_info Who this process is.\n"
                                                 "# TYPE target_info gauge\n";
    bytes_append_text(page->out, head);
    line(page, "target_info", target, "1");
}

void metrics_expose(struct bytes *out, enum metrics_format format)
{
    const struct page page = {out, format == METRICS_OPENMETRICS};
    struct metrics_scrape scrape;
    metrics_scrape_take(&scrape);
    target_info(&page);
    for (size_t i = 0; i < scrape.count; i++) {
        const struct metric_sample *sample = &scrape.samples[i];
        const struct metric_info *info = metric_info(sample->id);
        if (i == 0 || sample[-1].id != sample->id)
            head(&page, info);
        if (info->kind == METRIC_KIND_HISTOGRAM)
            histogram(&page, info, sample);
        else
            single(&page, info, sample);
    }
    if (page.openmetrics)
        bytes_append_text(out, "# EOF\n");
    metrics_scrape_clear(&scrape);
}
