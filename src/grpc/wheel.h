// SPDX-License-Identifier: Apache-2.0
// Deadlines of many calls: set and lifted in constant time, noticed up to a tick late.
// Pure: the time is an argument. One thread at a time.
//
//   tick:      0    1    2   …  1023   then again from 0
//   slots:   [ • ][   ][ •• ] …  [   ]   a deadline hangs in the slot of its tick; one that is
//              ▲ at_tick                 further away than a round stays when its slot is passed
#ifndef ABACUS_GRPC_WHEEL_H
#define ABACUS_GRPC_WHEEL_H

#include "base/base.h"

#include <sys/queue.h>

#define GRPC_WHEEL_TICK_MS 5 // finer than any timeout people set
#define GRPC_WHEEL_SLOTS   1024

struct grpc_timed {
    LIST_ENTRY(grpc_timed) links;
    int64_t deadline_mono_ns; // INT64_MAX: none, it hangs nowhere
};
LIST_HEAD(grpc_timed_list, grpc_timed);

struct grpc_wheel {
    struct grpc_timed_list slots[GRPC_WHEEL_SLOTS];
    int64_t at_tick; // nothing before it is due
    size_t count;
};

void grpc_wheel_init(struct grpc_wheel *w, int64_t now_mono_ns);
void grpc_wheel_add(struct grpc_wheel *w, struct grpc_timed *t);
void grpc_wheel_remove(struct grpc_wheel *w, struct grpc_timed *t);

// Moves what is due to `due`; whoever takes it from there still calls remove.
void grpc_wheel_turn(struct grpc_wheel *w, int64_t now_mono_ns, struct grpc_timed_list *due);

#endif
