// SPDX-License-Identifier: Apache-2.0
// traceparent: what is accepted is kept in the form of version 00, which parses to itself.
#include "telemetry/context.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_context context, again;
    if (!trace_context_parse((const char *)data, size, &context)) {
        CHECK(context.traceparent[0] == '\0');
        return 0;
    }
    CHECK_INT(strlen(context.traceparent), ==, TRACEPARENT_LENGTH);
    CHECK(memcmp(context.traceparent, "00-", 3) == 0);
    CHECK(trace_context_parse(context.traceparent, TRACEPARENT_LENGTH, &again));
    CHECK(strcmp(context.traceparent, again.traceparent) == 0);
    return 0;
}
