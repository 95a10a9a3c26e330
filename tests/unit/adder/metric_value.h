// SPDX-License-Identifier: Apache-2.0
// What /metrics says of one series, for tests that compare before and after: the registry is the
// process's own and only grows.
#ifndef ABACUS_TESTS_METRIC_VALUE_H
#define ABACUS_TESTS_METRIC_VALUE_H

#include "telemetry/metrics.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

// series: as exposed, `name{label="value"}`. 0 when it is not there.
static inline double metric_value(const char *series)
{
    struct bytes page = {0};
    metrics_expose(&page, METRICS_TEXT);
    bytes_append(&page, "", 1);
    const char *found = (const char *)page.data;
    do {
        found = strstr(found, series);
    } while (found != NULL && *(found += strlen(series)) != ' ');
    const double value = found != NULL ? strtod(found, NULL) : 0;
    bytes_clear(&page);
    return value;
}

#endif
