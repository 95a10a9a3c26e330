// SPDX-License-Identifier: Apache-2.0
// The stop flag: SIGTERM and SIGINT ask for a graceful end, a second one ends at once (which is
// always safe: what was acknowledged is durable). SIGPIPE is ignored.
// init: main, before other threads start; the rest: any thread.
#ifndef ABACUS_BASE_STOP_H
#define ABACUS_BASE_STOP_H

#include "base/base.h"

void stop_init(void);

// The same as a first SIGTERM, from inside the program.
void stop_request(void);
bool stop_requested(void);

// Readable from the first request on, for poll() and event loops; never read it.
int stop_fd(void);

// Ends the process like a second signal in ms, wherever it is then: a disk or a library that hangs
// must not keep it. Main, once, when the graceful end begins.
void stop_limit(int64_t ms);

// Blocks until a stop is asked for or timeout_ms is over (-1: no limit). True: stop.
bool stop_wait(int timeout_ms);

#endif
