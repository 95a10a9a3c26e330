// SPDX-License-Identifier: Apache-2.0
// Names with values, as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS write them:
// "key1=value1,key2=value2" with %XX for what has a meaning there (W3C baggage, without its
// properties). Pure.
#ifndef ABACUS_TELEMETRY_OTEL_LIST_H
#define ABACUS_TELEMETRY_OTEL_LIST_H

#include "base/base.h"
#include "base/err.h"

#define OTEL_LIST_MAX 64

struct otel_pair {
    char *key, *value; // owned, decoded, UTF-8
};

// A zeroed list is empty and ready.
struct otel_list {
    struct otel_pair pairs[OTEL_LIST_MAX];
    size_t count;
};

// Adds what text says. False: it is malformed; the list holds what came before the mistake.
MUST_USE bool otel_list_parse(struct otel_list *list, const char *text, struct err *err);

// Gives the key this value, whether it is there or not. Both are copied. False: the list is full.
MUST_USE bool otel_list_set(struct otel_list *list, const char *key, const char *value);
const char *otel_list_get(const struct otel_list *list, const char *key); // NULL: not there
void otel_list_clear(struct otel_list *list);

#endif
