// SPDX-License-Identifier: Apache-2.0
#include "telemetry/resource.h"

#include "base/log.h"
#include "base/version.h"
#include "telemetry/metrics_state.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// OTEL_RESOURCE_ATTRIBUTES may fill the list, all but what is set after it.
static void set(struct otel_list *resource, const char *key, const char *value)
{
    if (!otel_list_set(resource, key, value))
        log_warn("trace", "OTEL_RESOURCE_ATTRIBUTES: so many that %s finds no room", key);
}

void resource_make(struct otel_list *resource, const struct trace_config *program,
                   const struct otel_config *environment)
{
    set(resource, "service.name", program->service);
    set(resource, "service.version", ABACUS_VERSION);
    set(resource, "service.instance.id", program->instance);
    // "opentelemetry" is reserved for the SDKs of that project.
    set(resource, "telemetry.sdk.name", "abacus");
    set(resource, "telemetry.sdk.language", "c");
    set(resource, "telemetry.sdk.version", ABACUS_VERSION);
    for (size_t i = 0; i < environment->attributes.count; i++) {
        const struct otel_pair *pair = &environment->attributes.pairs[i];
        if (strncmp(pair->key, "telemetry.sdk.", strlen("telemetry.sdk.")) != 0)
            set(resource, pair->key, pair->value);
    }
    if (environment->service_name != NULL)
        set(resource, "service.name", environment->service_name);
}

// --- as labels ---
struct label {
    char *name; // owned
    const struct otel_pair *pair;
};

// What may not be in a name becomes "_", and runs of that one (OpenTelemetry, "Prometheus and
// OpenMetrics Compatibility").
static char *label_name(const char *key)
{
    struct bytes name = {0};
    bytes_append_text(&name, isdigit((unsigned char)key[0]) ? "_" : "");
    for (const char *at = key; *at != '\0'; at++) {
        const bool good = isalnum((unsigned char)*at) != 0;
        if (good || name.length == 0 || name.data[name.length - 1] != '_')
            bytes_printf(&name, "%c", good ? *at : '_');
    }
    return (char *)name.data;
}

static int by_name_and_key(const void *left, const void *right)
{
    const struct label *l = left, *r = right;
    const int order = strcmp(l->name, r->name);
    return order != 0 ? order : strcmp(l->pair->key, r->pair->key);
}

// Keys whose names are the same share a label, by the same rules: values in the order of the keys.
static void labels_print(struct bytes *out, const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(labels[i - 1].name, labels[i].name) == 0)
            bytes_append_text(out, ";");
        else
            bytes_printf(out, "%s%s=\"", i > 0 ? "\"," : "", labels[i].name);
        metric_escape(out, labels[i].pair->value, strlen(labels[i].pair->value), true);
    }
    bytes_append_text(out, count > 0 ? "\"" : "");
}

void resource_labels(struct bytes *out, const struct otel_list *resource)
{
    struct label labels[OTEL_LIST_MAX];
    for (size_t i = 0; i < resource->count; i++)
        labels[i] = (struct label){label_name(resource->pairs[i].key), &resource->pairs[i]};
    qsort(labels, resource->count, sizeof(*labels), by_name_and_key);
    labels_print(out, labels, resource->count);
    for (size_t i = 0; i < resource->count; i++)
        free(labels[i].name);
}
