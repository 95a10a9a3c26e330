// SPDX-License-Identifier: Apache-2.0
#include "adder/flight.h"

#include "base/clock.h"

#include <stdlib.h>

void flight_begin(struct flight *f, const struct send_place *place, int64_t acknowledged)
{
    *f = (struct flight){.place = *place};
    timeline_init(&f->handed, acknowledged);
    f->sent = METRIC_SERIES(METRIC_SENT_MESSAGES, place->topic, "");
    f->duration = METRIC_SERIES(METRIC_SEND_DURATION, place->topic);
    if (trace_enabled())
        f->sampled = xcalloc(FLIGHT_SAMPLED_MAX, sizeof(*f->sampled));
}

static void sampled_pop(struct flight *f, int64_t offset, const char *error)
{
    add_span_send(&f->place, &f->sampled[f->sampled_first], offset, error);
    f->sampled_first = (f->sampled_first + 1) % FLIGHT_SAMPLED_MAX;
    f->sampled_count--;
}

void flight_end(struct flight *f, int64_t sent, const char *error)
{
    const int64_t lost = sent - f->handed.taken;
    if (lost > 0)
        metric_add(METRIC_SERIES(METRIC_SENT_MESSAGES, f->place.topic, error), lost);
    while (f->sampled_count > 0)
        sampled_pop(f, -1, error);
    free(f->sampled);
}

void flight_clock(struct flight *f)
{
    f->now_mono_ns = clock_mono_ns();
    f->now_unix_us = clock_unix_us();
}

void flight_handed(struct flight *f, const struct event *event)
{
    const struct stretch stretch = {event->sequence, f->now_mono_ns, f->now_unix_us};
    timeline_add(&f->handed, &stretch);
    if (f->sampled == NULL || f->sampled_count == FLIGHT_SAMPLED_MAX ||
        !trace_context_sampled(&event->context))
        return;
    const size_t last = (f->sampled_first + f->sampled_count++) % FLIGHT_SAMPLED_MAX;
    f->sampled[last] =
        (struct send_event){event->source, event->sequence, f->now_unix_us, event->context};
}

void flight_landed(struct flight *f, int64_t sequence, int64_t offset)
{
    if (f->sampled_count > 0 && f->sampled[f->sampled_first].sequence == sequence)
        sampled_pop(f, offset, NULL);
}

void flight_count(struct flight *f, int64_t sequence)
{
    const int64_t before = f->handed.taken, now_mono_ns = clock_mono_ns();
    int64_t n, handed_mono_ns;
    while ((n = timeline_take(&f->handed, sequence, &handed_mono_ns)) > 0)
        metric_observe(f->duration, now_mono_ns - handed_mono_ns, n);
    metric_add(f->sent, f->handed.taken - before);
}
