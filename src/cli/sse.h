// SPDX-License-Identifier: Apache-2.0
// Server-Sent Events, line by line (WHATWG HTML §9.2 "Parsing an event stream"): gives the data of
// each event. We follow a state, not a log, so event names, ids and retry times do not matter.
// Pure; one thread.
#ifndef ABACUS_CLI_SSE_H
#define ABACUS_CLI_SSE_H

#include "base/base.h"
#include "base/bytes.h"

#define SSE_DATA_BYTES_MAX ((size_t)1024 * 1024) // an event with more is dropped

struct sse {
    struct bytes data; // of the event that is being read
    bool any, too_large;
};

// Takes one line without its end. True: it ended an event, whose data (NUL behind its end) is valid
// until the next call. A zeroed struct is ready; clear frees it.
bool sse_line(struct sse *s, const char *line, size_t length, struct bytes *data);
void sse_clear(struct sse *s);

#endif
