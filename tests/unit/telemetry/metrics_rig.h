// SPDX-License-Identifier: Apache-2.0
// What the tests of metrics share. The registry is the process's own and only grows: each test uses
// metrics, or label values, that no other test of its program uses.
#ifndef ABACUS_TESTS_METRICS_RIG_H
#define ABACUS_TESTS_METRICS_RIG_H

#include "telemetry/metrics.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

// The whole page; owned.
static inline char *expose(enum metrics_format format)
{
    struct bytes page = {0};
    bytes_append_text(&page, ""); // also an empty page is a text
    metrics_expose(&page, format);
    return (char *)page.data;
}

// Exactly these lines, one after the other, are in the page.
static inline void expect_lines(enum metrics_format format, const char *lines)
{
    char *page = expose(format);
    const char *found = strstr(page, lines);
    const bool whole = found != NULL && (found == page || found[-1] == '\n');
    EXPECT(whole, "these lines are missing:\n%s\nin:\n%s", lines, page);
    free(page);
}

static inline void expect_absent(enum metrics_format format, const char *text)
{
    char *page = expose(format);
    EXPECT(strstr(page, text) == NULL, "not expected: %s\nin:\n%s", text, page);
    free(page);
}

#endif
