// SPDX-License-Identifier: Apache-2.0
// Cells and series. Each thread has a block, in which every series has the same places:
//
//               cell 1   2   3   4 …
//   thread A  [  120 |  3 |  0 |  7 …      written by A only: a plain load, add, store
//   thread B  [   80 |  0 |  0 |  9 …
//   ended     [  951 |  2 |  1 |  0 …      kept with its counts until a new thread takes it over
//   ──────────────────────────────────
//   a scrape    1151    5    1   16
//
// Blocks are mapped memory that costs nothing until touched: a page or two for most threads.
#include "telemetry/metrics.h"

#include "base/clock.h"
#include "telemetry/metrics_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CELLS_MAX       16384 // 128 KiB of addresses a thread; the services use some hundred cells
#define EXEMPLAR_AGE_US INT64_C(1000000)

_Static_assert(CELLS_MAX < 1U << METRIC_CELL_BITS, "a series must be able to name every cell");

struct block {
    struct block *next;               // fixed once the block is in the list
    struct block *next_free;          // under the registry's mu
    _Atomic int64_t cells[CELLS_MAX]; // stored by the thread that has the block, relaxed
};

struct series {
    struct series *next;
    struct metric_series series;
    char labels[];
};

static struct {
    pthread_mutex_t mu;
    // under mu
    struct block *blocks, *free_blocks;
    struct series *series[METRICS_COUNT];
    size_t series_count[METRICS_COUNT];
    uint32_t cells_used;
} registry = {.mu = PTHREAD_MUTEX_INITIALIZER, .cells_used = 1};

// Any thread reads when the next exemplar is due; the rest is under the mutex.
static struct {
    _Atomic int64_t unix_us;
    int64_t value;
    struct trace_context context;
} exemplars[CELLS_MAX];
static pthread_mutex_t exemplars_mu = PTHREAD_MUTEX_INITIALIZER;

static _Atomic int64_t series_dropped;
static _Atomic bool disabled; // relaxed: nothing depends on when a thread sees it

void metrics_enable(bool enabled)
{
    atomic_store_explicit(&disabled, !enabled, memory_order_relaxed);
}

bool metrics_enabled(void)
{
    return !atomic_load_explicit(&disabled, memory_order_relaxed);
}

// --- the thread's block ---
static _Thread_local struct block *own_block;
static pthread_key_t block_key;
static pthread_once_t block_key_once = PTHREAD_ONCE_INIT;

static void block_give_back(void *arg)
{
    struct block *block = arg;
    own_block = NULL;
    pthread_mutex_lock(&registry.mu);
    block->next_free = registry.free_blocks;
    registry.free_blocks = block;
    pthread_mutex_unlock(&registry.mu);
}

static void block_key_create(void)
{
    CHECK_INT(pthread_key_create(&block_key, block_give_back), ==, 0);
}

// A huge page would make a block of some hundred bytes cost 2 MiB.
static struct block *block_create(void)
{
    struct block *block =
        mmap(NULL, sizeof(*block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(block != MAP_FAILED);
    (void)madvise(block, sizeof(*block), MADV_NOHUGEPAGE);
    return block;
}

static struct block *block_take_locked(void)
{
    struct block *block = registry.free_blocks;
    if (block != NULL) {
        registry.free_blocks = block->next_free;
        return block;
    }
    block = block_create();
    block->next = registry.blocks;
    registry.blocks = block;
    return block;
}

static struct block *block_take(void)
{
    pthread_once(&block_key_once, block_key_create);
    pthread_mutex_lock(&registry.mu);
    struct block *block = block_take_locked();
    pthread_mutex_unlock(&registry.mu);
    CHECK_INT(pthread_setspecific(block_key, block), ==, 0);
    return block;
}

static inline _Atomic int64_t *own_cell(uint32_t cell)
{
    if (own_block == NULL)
        own_block = block_take();
    return &own_block->cells[cell];
}

// --- recording ---
static inline bool counts(struct metric_series series)
{
    return series.cell != 0 && metrics_enabled();
}

// Relaxed: a scrape may see one cell of a thread newer than another, never a torn one.
static inline void count_add(_Atomic int64_t *cell, int64_t n)
{
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static double sum_load(_Atomic int64_t *cell)
{
    const int64_t bits = atomic_load_explicit(cell, memory_order_relaxed);
    double sum;
    memcpy(&sum, &bits, sizeof(sum));
    return sum;
}

static inline void sum_add(_Atomic int64_t *cell, double value)
{
    const double sum = sum_load(cell) + value;
    int64_t bits;
    memcpy(&bits, &sum, sizeof(bits));
    atomic_store_explicit(cell, bits, memory_order_relaxed);
}

void metric_add(struct metric_series series, int64_t n)
{
    CHECK_INT(n, >=, 0);
    CHECK(series.buckets == BUCKETS_NO); // else this would count in the first bucket
    if (counts(series))
        count_add(own_cell(series.cell), n);
}

static inline uint32_t bucket_of(const struct bucket_set *set, int64_t value)
{
    uint32_t i = 0;
    while (i < set->count && value > set->bounds[i])
        i++;
    return i;
}

// Returns the bucket's cell.
static inline uint32_t observe(struct metric_series series, int64_t value, int64_t n)
{
    CHECK(series.buckets != BUCKETS_NO); // a counter's sum would be in another series' cell
    const struct bucket_set *set = bucket_set(series.buckets);
    const uint32_t cell = series.cell + bucket_of(set, value);
    count_add(own_cell(cell), n);
    sum_add(own_cell(series.cell + (uint32_t)set->count + 1), (double)value * (double)n);
    return cell;
}

void metric_observe(struct metric_series series, int64_t value, int64_t n)
{
    CHECK_INT(n, >=, 0);
    if (counts(series))
        observe(series, value > 0 ? value : 0, n);
}

static void exemplar_offer(uint32_t cell, int64_t value, const struct trace_context *context)
{
    const int64_t now_unix_us = clock_unix_us();
    const int64_t last = atomic_load_explicit(&exemplars[cell].unix_us, memory_order_relaxed);
    if (llabs(now_unix_us - last) < EXEMPLAR_AGE_US) // also after the clock was set back
        return;
    pthread_mutex_lock(&exemplars_mu);
    atomic_store_explicit(&exemplars[cell].unix_us, now_unix_us, memory_order_relaxed);
    exemplars[cell].value = value;
    exemplars[cell].context = *context;
    pthread_mutex_unlock(&exemplars_mu);
}

void metric_observe_traced(struct metric_series series, int64_t value,
                           const struct trace_context *context)
{
    if (!counts(series))
        return;
    value = value > 0 ? value : 0;
    const uint32_t cell = observe(series, value, 1);
    if (trace_context_sampled(context))
        exemplar_offer(cell, value, context);
}

// --- series ---
static uint32_t cells_of(const struct metric_info *info)
{
    if (info->kind != METRIC_KIND_HISTOGRAM)
        return 1;
    return (uint32_t)bucket_set(info->buckets)->count + 2; // above all, and the sum
}

static struct metric_series series_make_locked(enum metric_id id, const struct bytes *labels)
{
    const struct metric_info *info = metric_info(id);
    const uint32_t cells = cells_of(info);
    if (registry.series_count[id] == METRIC_SERIES_MAX || registry.cells_used + cells > CELLS_MAX) {
        metric_series_dropped_add();
        return (struct metric_series){0};
    }
    struct series *made = xcalloc(1, sizeof(*made) + labels->length + 1);
    if (labels->length > 0)
        memcpy(made->labels, labels->data, labels->length);
    made->series.cell = registry.cells_used & ((1U << METRIC_CELL_BITS) - 1);
    made->series.buckets = info->buckets & 0xf;
    registry.cells_used += cells;
    made->next = registry.series[id];
    registry.series[id] = made;
    registry.series_count[id]++;
    return made->series;
}

static struct metric_series series_find_or_make(enum metric_id id, const struct bytes *labels)
{
    const char *text = labels->length > 0 ? (const char *)labels->data : "";
    pthread_mutex_lock(&registry.mu);
    struct series *found = registry.series[id];
    while (found != NULL && strcmp(found->labels, text) != 0)
        found = found->next;
    const struct metric_series series =
        found != NULL ? found->series : series_make_locked(id, labels);
    pthread_mutex_unlock(&registry.mu);
    return series;
}

struct metric_series metric_series(enum metric_id id, const char *const *values, size_t count)
{
    CHECK(metric_info(id)->kind != METRIC_KIND_GAUGE); // gauges are read by collectors
    if (!metrics_enabled())
        return (struct metric_series){0};
    struct bytes labels = {0};
    metric_labels(&labels, id, values, count);
    const struct metric_series series = series_find_or_make(id, &labels);
    bytes_clear(&labels);
    return series;
}

void metric_series_dropped_add(void)
{
    atomic_fetch_add_explicit(&series_dropped, 1, memory_order_relaxed);
}

int64_t metric_series_dropped(void)
{
    return atomic_load_explicit(&series_dropped, memory_order_relaxed);
}

// --- what a scrape reads ---
void metric_series_each(void (*each)(enum metric_id id, struct metric_series series,
                                     const char *labels, void *ctx),
                        void *ctx)
{
    pthread_mutex_lock(&registry.mu);
    for (size_t id = 0; id < METRICS_COUNT; id++) {
        for (const struct series *s = registry.series[id]; s != NULL; s = s->next)
            each((enum metric_id)id, s->series, s->labels, ctx);
    }
    pthread_mutex_unlock(&registry.mu);
}

// New blocks go in front, so that a list once read stays valid without the lock.
static struct block *blocks_first(void)
{
    pthread_mutex_lock(&registry.mu);
    struct block *first = registry.blocks;
    pthread_mutex_unlock(&registry.mu);
    return first;
}

int64_t metric_cell_count(uint32_t cell)
{
    int64_t count = 0;
    for (struct block *block = blocks_first(); block != NULL; block = block->next)
        count += atomic_load_explicit(&block->cells[cell], memory_order_relaxed);
    return count;
}

double metric_cell_sum(uint32_t cell)
{
    double sum = 0;
    for (struct block *block = blocks_first(); block != NULL; block = block->next)
        sum += sum_load(&block->cells[cell]);
    return sum;
}

struct metric_exemplar metric_cell_exemplar(uint32_t cell)
{
    pthread_mutex_lock(&exemplars_mu);
    const struct metric_exemplar exemplar = {
        .unix_us = atomic_load_explicit(&exemplars[cell].unix_us, memory_order_relaxed),
        .value = exemplars[cell].value,
        .context = exemplars[cell].context,
    };
    pthread_mutex_unlock(&exemplars_mu);
    return exemplar;
}
