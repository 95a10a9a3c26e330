// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otel_config.h"

#include "base/log.h"
#include "telemetry/otel_env.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ENDPOINT_DEFAULT "http://localhost:4318"
#define SAMPLER_DEFAULT  "parentbased_always_on"
#define ENDPOINT_MAX     2048

// The variable of traces alone wins over that of all signals.
#define OTLP(what) \
    otel_variable_either("OTEL_EXPORTER_OTLP_TRACES_" what, "OTEL_EXPORTER_OTLP_" what)

#define FIELD(name) offsetof(struct otel_config, name)
static const struct otel_number numbers[] = {
    {"OTEL_BSP_SCHEDULE_DELAY", NULL, FIELD(schedule_delay_ms), 5000, 1, 3600000},
    {"OTEL_BSP_EXPORT_TIMEOUT", NULL, FIELD(export_timeout_ms), 30000, 1, 3600000},
    // What waits is in memory, about half a kilobyte a span.
    {"OTEL_BSP_MAX_QUEUE_SIZE", NULL, FIELD(queue_max), 2048, 1, 65536},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", NULL, FIELD(batch_max), 512, 1, 65536},
    {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", FIELD(timeout_ms), 10000, 0,
     3600000},
};

static void read_numbers(struct otel_config *config)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        *(int64_t *)(void *)((char *)config + numbers[i].offset) = otel_number(&numbers[i]);
    if (config->batch_max > config->queue_max) {
        log_warn("trace",
                 "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: more than OTEL_BSP_MAX_QUEUE_SIZE: %" PRId64
                 " is used",
                 config->queue_max);
        config->batch_max = config->queue_max;
    }
}

static void read_sampler(struct otel_config *config)
{
    const struct otel_variable sampler = otel_variable("OTEL_TRACES_SAMPLER");
    const struct otel_variable arg = otel_variable("OTEL_TRACES_SAMPLER_ARG");
    bool ratio = false;
    if (sampler.value == NULL) {
        CHECK(sampler_find(SAMPLER_DEFAULT, &config->sampler, &ratio));
    } else if (!sampler_find(sampler.value, &config->sampler, &ratio)) {
        CHECK(sampler_find(SAMPLER_DEFAULT, &config->sampler, &ratio));
        otel_variable_warn(&sampler, "is no sampler that we know", SAMPLER_DEFAULT " is used");
    }
    if (!ratio && arg.value != NULL)
        otel_variable_warn(&arg, "says nothing to a sampler without a ratio", "it is ignored");
    else if (arg.value != NULL && !sampler_ratio(arg.value, &config->sampler))
        otel_variable_warn(&arg, "is not a number from 0 to 1", "1.0 is used");
}

// Half a list could be worse than none, so a mistake discards all of it. The value is not logged:
// headers hold secrets.
static void read_list(struct otel_list *list, const struct otel_variable *variable)
{
    struct err err;
    if (variable->value == NULL || otel_list_parse(list, variable->value, &err))
        return;
    otel_list_clear(list);
    log_warn("trace", "%s: %s: all of it is ignored", variable->name, err.text);
}

// --- the exporter ---
char *otel_endpoint(const char *url, bool base)
{
    size_t length = strlen(url);
    const char *host = strncasecmp(url, "http://", 7) == 0    ? url + 7
                       : strncasecmp(url, "https://", 8) == 0 ? url + 8
                                                              : NULL;
    if (host == NULL || strchr("/?#:", *host) != NULL || length > ENDPOINT_MAX)
        return NULL;
    for (const char *at = url; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || (base && strchr("?#", *at) != NULL))
            return NULL;
    }
    if (!base)
        return xstrdup(url);
    while (url[length - 1] == '/')
        length--;
    return xasprintf("%.*s/v1/traces", (int)length, url);
}

const char *otel_endpoint_shown(const char *url)
{
    const char *at = strrchr(url, '@');
    return at == NULL ? url : at + 1;
}

static void read_endpoint(struct otel_config *config)
{
    const struct otel_variable own = otel_variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    const struct otel_variable common = otel_variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    const struct otel_variable given = own.value != NULL ? own : common;
    const bool base = own.value == NULL;
    config->endpoint = otel_endpoint(given.value != NULL ? given.value : ENDPOINT_DEFAULT, base);
    if (config->endpoint == NULL) {
        const struct otel_variable shown = {given.name, otel_endpoint_shown(given.value)};
        otel_variable_warn(&shown, "is not a URL like " ENDPOINT_DEFAULT, "tracing is off");
        config->export = false;
    }
}

// Values that mean something else than what we do.
static void read_protocol(struct otel_config *config)
{
    const struct otel_variable protocol = OTLP("PROTOCOL");
    if (protocol.value != NULL && strcmp(protocol.value, "http/protobuf") != 0)
        otel_variable_warn(&protocol, "is not spoken here", "http/protobuf is used");
    const struct otel_variable compression = OTLP("COMPRESSION");
    if (compression.value == NULL)
        return;
    config->gzip = strcmp(compression.value, "gzip") == 0;
    if (!config->gzip && strcmp(compression.value, "none") != 0)
        otel_variable_warn(&compression, "is neither gzip nor none", "none is used");
}

static void read_headers(struct otel_config *config)
{
    const struct otel_variable variable = OTLP("HEADERS");
    read_list(&config->headers, &variable);
    for (size_t i = 0; i < config->headers.count; i++) {
        const struct otel_pair *pair = &config->headers.pairs[i];
        // Neither a line end nor anything else may make a second header of it (RFC 9110 §5.5).
        bool good = pair->key[strcspn(pair->key, " \t\"(),/:;<=>?@[\\]{}")] == '\0';
        for (const char *at = pair->key; *at != '\0'; at++)
            good = good && *at > ' ' && *at <= '~';
        for (const char *at = pair->value; *at != '\0'; at++)
            good = good && (*at == '\t' || ((uint8_t)*at >= ' ' && *at != 0x7f));
        if (!good) {
            otel_list_clear(&config->headers);
            log_warn("trace", "%s: holds what no HTTP header may: all of it is ignored",
                     variable.name);
        }
    }
}

// By the specification the exporter is always on, to localhost; then everybody who runs no
// collector would read of it in the log. So one of the two must ask for it.
static bool wants_export(void)
{
    const struct otel_variable exporter = otel_variable("OTEL_TRACES_EXPORTER");
    const bool endpoint = OTLP("ENDPOINT").value != NULL;
    if (exporter.value == NULL)
        return endpoint;
    if (strcmp(exporter.value, "otlp") != 0 && strcmp(exporter.value, "none") != 0)
        otel_variable_warn(&exporter, "is neither otlp nor none", "tracing is off");
    return strcmp(exporter.value, "otlp") == 0;
}

static bool is_disabled(void)
{
    const struct otel_variable variable = otel_variable("OTEL_SDK_DISABLED");
    if (variable.value == NULL || strcasecmp(variable.value, "false") == 0)
        return false;
    if (strcasecmp(variable.value, "true") == 0)
        return true;
    otel_variable_warn(&variable, "is neither true nor false", "false is used");
    return false;
}

void otel_config_read(struct otel_config *config)
{
    *config = (struct otel_config){.disabled = is_disabled()};
    const struct otel_variable attributes = otel_variable("OTEL_RESOURCE_ATTRIBUTES");
    config->service_name = otel_variable("OTEL_SERVICE_NAME").value;
    read_list(&config->attributes, &attributes);
    config->export = !config->disabled && wants_export();
    if (config->export)
        read_endpoint(config);
    if (!config->export)
        return;
    read_sampler(config);
    read_numbers(config);
    read_protocol(config);
    read_headers(config);
    config->certificate = OTLP("CERTIFICATE").value;
}

void otel_config_clear(struct otel_config *config)
{
    free(config->endpoint);
    otel_list_clear(&config->attributes);
    otel_list_clear(&config->headers);
    *config = (struct otel_config){.disabled = false};
}
