// SPDX-License-Identifier: Apache-2.0
// What recording costs whoever records: one line `WHAT NS` (nanoseconds each) for every kind, on
// one thread and on two at once. With cells of each thread's own, two should cost what one does.
#include "base/clock.h"
#include "telemetry/metrics.h"

#include <pthread.h>
#include <stdio.h>

#define TIMES       5000000
#define THREADS_MAX 2
#define SPREAD_NS   (50 * NS_PER_US) // values fall into several buckets, as real ones do

static struct metric_series adds, calls;
static const struct trace_context sampled = {
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};

static void add(int64_t i)
{
    (void)i;
    metric_add(adds, 1);
}

static void observe(int64_t i)
{
    metric_observe(calls, (i & 31) * SPREAD_NS, 1);
}

static void observe_traced(int64_t i)
{
    metric_observe_traced(calls, (i & 31) * SPREAD_NS, &sampled);
}

static void read_clock(int64_t i)
{
    metric_observe(calls, clock_mono_ns() & 31, i & 1);
}

static const struct {
    const char *what;
    void (*record)(int64_t i);
} kinds[] = {
    {"add", add},
    {"observe", observe},
    {"observe, in a sampled trace", observe_traced},
    {"observe and read the clock", read_clock},
};

static void *record_many(void *arg)
{
    void (*record)(int64_t) = *(void (**)(int64_t))arg;
    for (int64_t i = 0; i < TIMES; i++)
        record(i);
    return NULL;
}

static double measure(void (*record)(int64_t), size_t threads_count)
{
    pthread_t threads[THREADS_MAX];
    const int64_t start_mono_ns = clock_mono_ns();
    for (size_t i = 0; i < threads_count; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, record_many, &record), ==, 0);
    for (size_t i = 0; i < threads_count; i++)
        CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
    return (double)(clock_mono_ns() - start_mono_ns) / TIMES;
}

int main(void)
{
    adds = METRIC_SERIES(METRIC_ADDS, "appended");
    calls = METRIC_SERIES(METRIC_RPC_DURATION, "abacus.v1.Adder/Add", "OK", "");
    for (size_t threads = 1; threads <= THREADS_MAX; threads++) {
        for (size_t i = 0; i < COUNT_OF(kinds); i++)
            printf("%s, %zu thread%s %.1f\n", kinds[i].what, threads, threads > 1 ? "s" : "",
                   measure(kinds[i].record, threads));
    }
    return 0;
}
