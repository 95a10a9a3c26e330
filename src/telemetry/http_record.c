// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http_record.h"

#include "base/clock.h"
#include "telemetry/metrics.h"
#include "telemetry/trace.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SLOTS  61 // some more than there are routes, methods and statuses in use; a prime
#define ROUTES_MAX   254
#define STATUS_BYTES 12

// RFC 9110 §9 and RFC 5789, the usual ones first. What a client makes up must not become series.
#define METHOD_OTHER 0
static const char *const methods[] = {"_OTHER", "GET",     "HEAD",  "POST",    "PUT",
                                      "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"};

struct http_recorder {
    // fixed after create
    const struct http_route *routes; // borrowed
    bool traced;
    // Shared. A slot holds a question and its answer in one word, so that relaxed loads and stores
    // suffice: [ route 8 | method 8 | status 16 ][ series 32 ]. Who finds another question there
    // asks the registry, and leaves the answer.
    _Atomic uint64_t cache[CACHE_SLOTS];
};

struct http_recorder *http_recorder_create(const struct http_route *routes, bool traced)
{
    struct http_recorder *recorder = xcalloc(1, sizeof(*recorder));
    recorder->routes = routes;
    recorder->traced = traced;
    return recorder;
}

void http_recorder_destroy(struct http_recorder *recorder)
{
    free(recorder);
}

// --- while the request runs ---
static size_t method_index(const char *method)
{
    for (size_t i = METHOD_OTHER + 1; i < COUNT_OF(methods); i++) {
        if (strcmp(methods[i], method) == 0)
            return i;
    }
    return METHOD_OTHER;
}

void http_record_begin(struct http_record *record)
{
    record->begin_mono_ns = clock_mono_ns();
}

void http_record_head(struct http_record *record, const char *method, const char *version)
{
    record->method = method_index(method);
    record->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
}

void http_record_path(const struct http_recorder *recorder, struct http_record *record,
                      const char *path)
{
    if (recorder->traced && trace_enabled())
        record->path = xstrdup(path);
}

// --- its duration ---
static void status_print(char out[STATUS_BYTES], int status)
{
    snprintf(out, STATUS_BYTES, "%d", status);
}

static struct metric_series series_make(const struct http_record *record)
{
    char status[STATUS_BYTES];
    status_print(status, record->status);
    return METRIC_SERIES(METRIC_HTTP_DURATION, methods[record->method],
                         record->route != NULL ? record->route->path : "", status,
                         record->status >= 500 ? status : "");
}

static uint32_t question(const struct http_recorder *recorder, const struct http_record *record)
{
    const size_t route = record->route != NULL ? (size_t)(record->route - recorder->routes) + 1 : 0;
    CHECK_INT(route, <=, ROUTES_MAX);
    return (uint32_t)(route << 24 | record->method << 16 | (size_t)record->status);
}

static struct metric_series series_of(struct http_recorder *recorder,
                                      const struct http_record *record)
{
    const uint32_t asked = question(recorder, record);
    _Atomic uint64_t *slot = &recorder->cache[asked % CACHE_SLOTS];
    const uint64_t found = atomic_load_explicit(slot, memory_order_relaxed);
    struct metric_series series;
    _Static_assert(sizeof(series) == sizeof(uint32_t), "a question and a series fill a slot");
    uint32_t bits = (uint32_t)found;
    if (found >> 32 == asked && bits != 0) {
        memcpy(&series, &bits, sizeof(series));
        return series;
    }
    series = series_make(record);
    memcpy(&bits, &series, sizeof(bits));
    atomic_store_explicit(slot, (uint64_t)asked << 32 | bits, memory_order_relaxed);
    return series;
}

// --- its span ---
struct traceparents {
    struct trace_context context;
    int count;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct traceparents *found = arg;
    if (strcasecmp(name, "traceparent") != 0)
        return MHD_YES;
    found->count++;
    if (!trace_context_parse(value, strlen(value), &found->context) || found->count > 1)
        found->context = (struct trace_context){0}; // two of them: neither (W3C trace context)
    return MHD_YES;
}

static struct trace_context parent_of(struct MHD_Connection *connection)
{
    struct traceparents found = {.count = 0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &found);
    return found.context;
}

static void client_print(char out[NI_MAXHOST], struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    out[0] = '\0';
    if (info == NULL)
        return;
    const socklen_t length = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                      : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, length, out, NI_MAXHOST, NULL, 0, NI_NUMERICHOST) != 0)
        out[0] = '\0';
}

static void span_name_print(char *out, size_t bytes, const struct http_record *record)
{
    const char *method = record->method == METHOD_OTHER ? "HTTP" : methods[record->method];
    const bool routed = record->route != NULL;
    snprintf(out, bytes, "%s%s%s", method, routed ? " " : "", routed ? record->route->path : "");
}

// Names: OpenTelemetry's semantic conventions, "HTTP server spans".
static void span_attributes(struct span *span, const struct http_record *record,
                            struct MHD_Connection *connection, const char *status)
{
    span_text(span, "http.request.method", methods[record->method]);
    span_text(span, "url.path", record->path);
    span_text(span, "url.scheme", "http");
    span_text(span, "http.route", record->route != NULL ? record->route->path : "");
    span_number(span, "http.response.status_code", record->status);
    span_text(span, "error.type", record->status >= 500 ? status : "");
    span_text(span, "network.protocol.version", record->http_1_0 ? "1.0" : "1.1");
    span_text(span, "user_agent.original",
              MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "User-Agent"));
}

static void span_record(const struct http_record *record, struct MHD_Connection *connection,
                        const struct span *begun, int64_t duration_ns)
{
    char name[128], status[STATUS_BYTES], client[NI_MAXHOST];
    span_name_print(name, sizeof(name), record);
    status_print(status, record->status);
    client_print(client, connection);
    struct span span = *begun;
    span.name = name;
    span.kind = SPAN_SERVER;
    span.parent_remote = span.parent.traceparent[0] != '\0';
    span.end_unix_us = clock_unix_us();
    span.begin_unix_us = span.end_unix_us - duration_ns / NS_PER_US;
    span.error = record->status >= 500 ? "" : NULL;
    span_attributes(&span, record, connection, status);
    span_text(&span, "client.address", client);
    trace_end(&span);
}

// --- the end ---
static void record_answered(struct http_recorder *recorder, const struct http_record *record,
                            struct MHD_Connection *connection)
{
    const int64_t duration_ns = clock_mono_ns() - record->begin_mono_ns;
    const struct metric_series series = series_of(recorder, record);
    if (record->path == NULL) {
        metric_observe(series, duration_ns, 1);
        return;
    }
    struct span span = {.parent = parent_of(connection)};
    const bool sampled = trace_begin(&span.parent, &span.context);
    metric_observe_traced(series, duration_ns, &span.context);
    if (sampled)
        span_record(record, connection, &span, duration_ns);
}

void http_record_end(struct http_recorder *recorder, struct http_record *record,
                     struct MHD_Connection *connection)
{
    if (record->status != 0)
        record_answered(recorder, record, connection);
    free(record->path);
}
