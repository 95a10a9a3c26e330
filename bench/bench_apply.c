// SPDX-License-Identifier: Apache-2.0
// What it costs to decide whether an event is new and to add it up, in memory: one line `WHAT NS`
// (nanoseconds an event) for each kind of history. No disk: that is bench_ledger.
#include "base/clock.h"
#include "totals/sources.h"

#include <stdio.h>

#define EVENTS       4000000
#define SOURCES_MANY 10000
#define LATE_BY      1000 // events; every tenth of them is missing for so long: 100 ranges

// The sequence and the source of the i-th event, from 0.
struct history {
    const char *what;
    size_t sources;
    int64_t (*sequence)(int64_t i, size_t sources);
};

static int64_t in_order(int64_t i, size_t sources)
{
    return i / (int64_t)sources + 1;
}

static int64_t duplicate(int64_t i, size_t sources)
{
    (void)sources;
    return i == 0 ? 1 : (i - 1) % 2 == 0 ? 1 : 2;
}

// Each block of LATE_BY: first all but the tenth ones, then those.
static int64_t tenth_late(int64_t i, size_t sources)
{
    (void)sources;
    const int64_t block = i / LATE_BY, at = i % LATE_BY, prompt = LATE_BY / 10 * 9;
    const int64_t within = at < prompt ? at / 9 * 10 + at % 9 : (at - prompt) * 10 + 9;
    return block * LATE_BY + within + 1;
}

static const struct history histories[] = {
    {"in order", 1, in_order},
    {"duplicates", 1, duplicate},
    {"every 10th missing, then late", 1, tenth_late},
    {"10000 sources in turn", SOURCES_MANY, in_order},
};

static double measure(const struct history *history)
{
    static struct event events[SOURCES_MANY];
    struct sources *sources = sources_create(SOURCES_MANY);
    for (size_t i = 0; i < history->sources; i++)
        events[i] = (struct event){.source = uuid_random(), .a = 2, .b = 3, .sum = 5};
    const int64_t start_mono_ns = clock_mono_ns();
    for (int64_t i = 0; i < EVENTS; i++) {
        struct event *event = &events[(size_t)i % history->sources];
        event->sequence = history->sequence(i, history->sources);
        struct source *source = sources_add(sources, &event->source);
        (void)sources_apply(sources, source, event, 0, start_mono_ns);
    }
    const int64_t passed_ns = clock_mono_ns() - start_mono_ns;
    sources_destroy(sources);
    return (double)passed_ns / EVENTS;
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(histories); i++)
        printf("%s %.1f\n", histories[i].what, measure(&histories[i]));
    return 0;
}
