// SPDX-License-Identifier: Apache-2.0
#include "telemetry/resource.h"

#include "base/log.h"
#include "base/version.h"

#include <ctype.h>
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

// What may not be in a name becomes "_", and runs of that one (OpenTelemetry, "Prometheus and
// OpenMetrics Compatibility").
static void append_name(struct bytes *out, const char *key)
{
    if (isdigit((unsigned char)key[0]))
        bytes_append_text(out, "_");
    for (const char *at = key; *at != '\0'; at++) {
        const bool good = isalnum((unsigned char)*at) != 0;
        if (good || out->length == 0 || out->data[out->length - 1] != '_')
            bytes_append(out, good ? at : "_", 1);
    }
}

static void append_value(struct bytes *out, const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n')
            bytes_append_text(out, "\\n");
        else if (*at == '"' || *at == '\\')
            bytes_printf(out, "\\%c", *at);
        else
            bytes_append(out, at, 1);
    }
}

void resource_labels(struct bytes *out, const struct otel_list *resource)
{
    for (size_t i = 0; i < resource->count; i++) {
        if (i > 0)
            bytes_append_text(out, ",");
        append_name(out, resource->pairs[i].key);
        bytes_append_text(out, "=\"");
        append_value(out, resource->pairs[i].value);
        bytes_append_text(out, "\"");
    }
}
