// SPDX-License-Identifier: Apache-2.0
#include "grpc/wheel.h"

#include "base/clock.h"

#define TICK_NS (GRPC_WHEEL_TICK_MS * NS_PER_MS)

void grpc_wheel_init(struct grpc_wheel *w, int64_t now_mono_ns)
{
    for (size_t i = 0; i < GRPC_WHEEL_SLOTS; i++)
        LIST_INIT(&w->slots[i]);
    w->at_tick = now_mono_ns / TICK_NS;
    w->count = 0;
}

static struct grpc_timed_list *slot_of(struct grpc_wheel *w, int64_t tick)
{
    return &w->slots[tick % GRPC_WHEEL_SLOTS];
}

void grpc_wheel_add(struct grpc_wheel *w, struct grpc_timed *t)
{
    if (t->deadline_mono_ns == INT64_MAX)
        return;
    const int64_t tick = t->deadline_mono_ns / TICK_NS;
    LIST_INSERT_HEAD(slot_of(w, tick > w->at_tick ? tick : w->at_tick), t, links);
    w->count++;
}

void grpc_wheel_remove(struct grpc_wheel *w, struct grpc_timed *t)
{
    if (t->deadline_mono_ns == INT64_MAX)
        return;
    LIST_REMOVE(t, links);
    w->count--;
}

static void slot_turn(struct grpc_timed_list *slot, int64_t now_mono_ns,
                      struct grpc_timed_list *due)
{
    struct grpc_timed *t = LIST_FIRST(slot);
    while (t != NULL) {
        struct grpc_timed *next = LIST_NEXT(t, links);
        if (t->deadline_mono_ns <= now_mono_ns) {
            LIST_REMOVE(t, links);
            LIST_INSERT_HEAD(due, t, links);
        }
        t = next;
    }
}

void grpc_wheel_turn(struct grpc_wheel *w, int64_t now_mono_ns, struct grpc_timed_list *due)
{
    const int64_t now_tick = now_mono_ns / TICK_NS;
    // After a long pause one round sees every slot.
    const int64_t first = now_tick - GRPC_WHEEL_SLOTS + 1;
    int64_t tick = w->at_tick > first ? w->at_tick : first;
    for (; tick <= now_tick; tick++)
        slot_turn(slot_of(w, tick), now_mono_ns, due);
    w->at_tick = now_tick; // not past it: more of this tick may become due
}
