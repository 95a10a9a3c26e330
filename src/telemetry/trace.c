// SPDX-License-Identifier: Apache-2.0
#include "telemetry/trace.h"

bool trace_enabled(void)
{
    return false;
}

bool trace_begin(const struct trace_context *parent, struct trace_context *context)
{
    *context = *parent;
    return false;
}

void span_text(struct span *span, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    CHECK_INT(span->attributes_count, <, SPAN_ATTRIBUTES_MAX);
    span->attributes[span->attributes_count++] = (struct span_attribute){key, text, 0};
}

void span_number(struct span *span, const char *key, int64_t number)
{
    CHECK_INT(span->attributes_count, <, SPAN_ATTRIBUTES_MAX);
    span->attributes[span->attributes_count++] = (struct span_attribute){key, NULL, number};
}

void trace_end(const struct span *span)
{
    CHECK(trace_context_sampled(&span->context));
}

void trace_start(const struct trace_config *config)
{
    CHECK(config->service != NULL);
}

void trace_stop(int64_t timeout_ms)
{
    CHECK_INT(timeout_ms, >=, 0);
}
