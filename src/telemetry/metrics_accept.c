// SPDX-License-Identifier: Apache-2.0
// Which format and encoding a scraper wants (RFC 9110 §12.5). Prometheus names several versions of
// both with falling weights; we speak one of each, and text to everybody who does not ask for the
// other.
#include "telemetry/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// How much a format is wanted, by the media range that names it most closely.
struct preference {
    int closeness; // 0: not named
    double weight;
};

// An element of Accept, or of Accept-Encoding, which looks the same.
struct range {
    const char *name, *version; // version NULL: any
    double weight;
};

const char *metrics_content_type(enum metrics_format format)
{
    return format == METRICS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

// A weight that is none excludes what it stands with.
static double weight_parse(const char *text)
{
    char *end;
    const double weight = strtod(text, &end);
    return end != text && *end == '\0' && weight >= 0 && weight <= 1 ? weight : 0;
}

// text: one element of the header, spoilt.
static struct range range_parse(char *text)
{
    struct range range = {.name = trim(strsep(&text, ";")), .weight = 1};
    char *item;
    while ((item = strsep(&text, ";")) != NULL) {
        const char *key = trim(strsep(&item, "="));
        const char *value = item != NULL ? trim(item) : "";
        if (strcasecmp(key, "q") == 0)
            range.weight = weight_parse(value);
        else if (strcasecmp(key, "version") == 0)
            range.version = value;
    }
    return range;
}

static void prefer(struct preference *preference, int closeness, double weight)
{
    const bool closer = closeness > preference->closeness;
    if (closer || (closeness == preference->closeness && weight > preference->weight))
        *preference = (struct preference){closeness, weight};
}

static bool is_version(const struct range *range, const char *ours)
{
    return range->version == NULL || strcmp(range->version, ours) == 0;
}

static void range_weigh(const struct range *range, struct preference *text,
                        struct preference *openmetrics)
{
    if (strcasecmp(range->name, "application/openmetrics-text") == 0) {
        if (is_version(range, "1.0.0"))
            prefer(openmetrics, 3, range->weight);
    } else if (strcasecmp(range->name, "text/plain") == 0) {
        if (is_version(range, "0.0.4"))
            prefer(text, 3, range->weight);
    } else if (strcasecmp(range->name, "text/*") == 0) {
        prefer(text, 2, range->weight);
    } else if (strcmp(range->name, "*/*") == 0) {
        prefer(text, 1, range->weight);
    }
}

enum metrics_format metrics_format_of(const char *accept)
{
    struct preference text = {0}, openmetrics = {0};
    char *copy = xstrdup(accept != NULL ? accept : ""), *left = copy, *item;
    while ((item = strsep(&left, ",")) != NULL) {
        const struct range range = range_parse(item);
        range_weigh(&range, &text, &openmetrics);
    }
    free(copy);
    return openmetrics.weight > 0 && openmetrics.weight >= text.weight ? METRICS_OPENMETRICS
                                                                       : METRICS_TEXT;
}

bool metrics_may_gzip(const char *accept_encoding)
{
    bool may = false;
    char *copy = xstrdup(accept_encoding != NULL ? accept_encoding : ""), *left = copy, *item;
    while ((item = strsep(&left, ",")) != NULL) {
        const struct range range = range_parse(item);
        if (strcasecmp(range.name, "gzip") == 0)
            may = range.weight > 0;
    }
    free(copy);
    return may;
}
