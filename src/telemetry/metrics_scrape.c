// SPDX-License-Identifier: Apache-2.0
// Collectors, and the samples of one scrape: those that collectors put, and those of the series.
#include "telemetry/metrics_state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct collector {
    LIST_ENTRY(collector) links;
    void (*collect)(struct metrics_scrape *scrape, void *ctx);
    void *ctx;
};

// mu is held while collectors run: that is how metrics_collect_end waits for them.
static struct {
    pthread_mutex_t mu;
    LIST_HEAD(, collector) collectors;
} collecting = {.mu = PTHREAD_MUTEX_INITIALIZER};

void metrics_collect(void (*collect)(struct metrics_scrape *scrape, void *ctx), void *ctx)
{
    struct collector *made = xcalloc(1, sizeof(*made));
    made->collect = collect;
    made->ctx = ctx;
    pthread_mutex_lock(&collecting.mu);
    LIST_INSERT_HEAD(&collecting.collectors, made, links);
    pthread_mutex_unlock(&collecting.mu);
}

void metrics_collect_end(void *ctx)
{
    pthread_mutex_lock(&collecting.mu);
    struct collector *at = LIST_FIRST(&collecting.collectors);
    while (at != NULL) {
        struct collector *next = LIST_NEXT(at, links);
        if (at->ctx == ctx) {
            LIST_REMOVE(at, links);
            free(at);
        }
        at = next;
    }
    pthread_mutex_unlock(&collecting.mu);
}

// --- samples ---
static struct metric_sample *sample_add(struct metrics_scrape *scrape, enum metric_id id)
{
    if (scrape->count == scrape->capacity) {
        scrape->capacity = scrape->capacity > 0 ? 2 * scrape->capacity : 128;
        scrape->samples = xrealloc(scrape->samples, scrape->capacity * sizeof(*scrape->samples));
    }
    scrape->counts[id]++;
    struct metric_sample *sample = &scrape->samples[scrape->count++];
    *sample = (struct metric_sample){.id = id};
    return sample;
}

void metric_put(struct metrics_scrape *scrape, enum metric_id id, int64_t value,
                const char *const *values, size_t count)
{
    CHECK(metric_info(id)->kind != METRIC_KIND_HISTOGRAM);
    if (scrape->counts[id] == METRIC_SERIES_MAX) {
        metric_series_dropped_add();
        return;
    }
    struct bytes labels = {0};
    bytes_append_text(&labels, "");
    metric_labels(&labels, id, values, count);
    struct metric_sample *sample = sample_add(scrape, id);
    sample->labels = (char *)labels.data;
    sample->value = value;
}

static void series_read(enum metric_id id, struct metric_series series, const char *labels,
                        void *ctx)
{
    struct metric_sample *sample = sample_add(ctx, id);
    sample->labels = xstrdup(labels);
    sample->series = series;
}

static int by_id_and_labels(const void *left, const void *right)
{
    const struct metric_sample *l = left, *r = right;
    return l->id != r->id ? (int)l->id - (int)r->id : strcmp(l->labels, r->labels);
}

// A series twice would make Prometheus refuse the whole scrape: one of them is enough.
static void samples_unify(struct metrics_scrape *scrape)
{
    size_t kept = 0;
    for (size_t i = 0; i < scrape->count; i++) {
        if (kept > 0 && by_id_and_labels(&scrape->samples[kept - 1], &scrape->samples[i]) == 0)
            free(scrape->samples[i].labels);
        else
            scrape->samples[kept++] = scrape->samples[i];
    }
    scrape->count = kept;
}

static void counters_read(struct metrics_scrape *scrape)
{
    for (size_t i = 0; i < scrape->count; i++) {
        struct metric_sample *sample = &scrape->samples[i];
        if (sample->series.cell != 0 && metric_info(sample->id)->kind == METRIC_KIND_COUNTER)
            sample->value = metric_cell_count(sample->series.cell);
    }
}

void metrics_scrape_take(struct metrics_scrape *scrape)
{
    *scrape = (struct metrics_scrape){0};
    pthread_mutex_lock(&collecting.mu);
    struct collector *at;
    LIST_FOREACH(at, &collecting.collectors, links)
        at->collect(scrape, at->ctx);
    pthread_mutex_unlock(&collecting.mu);
    metric_series_each(series_read, scrape);
    counters_read(scrape);
    if (scrape->count > 0)
        qsort(scrape->samples, scrape->count, sizeof(*scrape->samples), by_id_and_labels);
    samples_unify(scrape);
}

void metrics_scrape_clear(struct metrics_scrape *scrape)
{
    for (size_t i = 0; i < scrape->count; i++)
        free(scrape->samples[i].labels);
    free(scrape->samples);
}
