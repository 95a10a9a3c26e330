// SPDX-License-Identifier: Apache-2.0
#include "telemetry/exporter.h"

#include "base/clock.h"
#include "base/log.h"
#include "telemetry/metrics.h"
#include "telemetry/otlp.h"
#include "telemetry/otlp_http.h"
#include "telemetry/retry.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// Collectors refuse requests of some ten MiB; a span seldom has a kilobyte.
#define REQUEST_BYTES_MAX ((size_t)4 << 20)

struct exporter {
    // fixed after create
    const struct otel_config *config;
    const struct otel_list *resource;
    struct span_queue *queue; // owned
    struct otlp_http *http;   // owned
    pthread_t thread;
    // the exporter's thread only
    int failures;          // in a row
    int64_t pause_mono_ns; // nothing is sent before that
    bool pause_until_end;  // or until a stop
    int64_t lost;          // since the collector last took something
    char trouble[sizeof(
        ((struct otlp_reply *)0)->error_type)]; // the kind said last; "": all is well
    // shared
    _Atomic int64_t end_mono_ns; // when a stop must be over: stored by main
};

struct span_queue *exporter_queue(struct exporter *exporter)
{
    return exporter->queue;
}

// --- what became of a batch ---
static void count(const char *error_type, int64_t spans)
{
    if (spans > 0)
        metric_add(METRIC_SERIES(METRIC_SPANS_EXPORTED, error_type), spans);
}

// The same trouble is said once, however long it lasts. kind: as for metrics.
static void say_trouble(struct exporter *e, const char *kind, const char *text)
{
    if (strcmp(e->trouble, kind) == 0)
        return;
    snprintf(e->trouble, sizeof(e->trouble), "%s", kind);
    log_warn("trace", "the collector does not take spans: %s", text);
}

static void say_well(struct exporter *e)
{
    if (e->trouble[0] != '\0')
        log_info("trace", "the collector takes spans again; lost meanwhile: %" PRId64, e->lost);
    e->trouble[0] = '\0';
    e->lost = 0;
}

static void lose(struct exporter *e, const char *error_type, int64_t spans)
{
    count(error_type, spans);
    e->lost += spans;
}

// Status 200. Some spans may be refused all the same, which is never to be retried.
static void take_answer(struct exporter *e, const struct otlp_reply *reply, int64_t spans)
{
    struct otlp_response response;
    if (!otlp_response(reply->body, &response)) {
        lose(e, "invalid_answer", spans);
        say_trouble(e, "invalid_answer", "what answers there is no OTLP collector");
        return;
    }
    const bool partly = response.rejected > 0;
    const int64_t rejected = response.rejected < spans ? response.rejected : spans;
    count("", partly ? spans - rejected : spans);
    if (!partly) {
        say_well(e);
        return;
    }
    lose(e, "rejected", rejected);
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof(text), "some are rejected: %.200s", response.message);
    say_trouble(e, "rejected", text);
}

static void say_reply(struct exporter *e, const struct otlp_reply *reply)
{
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof(text), "HTTP status %ld", reply->status);
    say_trouble(e, reply->error_type, reply->status == 0 ? reply->trouble : text);
}

// --- one batch ---
static uint32_t random_number(void)
{
    uint32_t number;
    CHECK_INT(getrandom(&number, sizeof(number), 0), ==, sizeof(number));
    return number;
}

static bool may_retry(struct exporter *e, const struct otlp_reply *reply)
{
    // When we are about to end, a collector that is not there will not come in time.
    return retry_status(reply->status) || (reply->unsent && !span_queue_ended(e->queue));
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

static void pause_begin(struct exporter *e, int64_t retry_after_s)
{
    e->failures++;
    const int64_t delay_ms = retry_delay_ms(e->failures, retry_after_s, random_number());
    e->pause_mono_ns = clock_mono_ns() + delay_ms * NS_PER_MS;
    // Who is asked to end tries once more at once, unless the collector itself asked for the pause.
    e->pause_until_end = retry_after_s <= 0 && !span_queue_ended(e->queue);
}

// False: the time was over first.
static bool pause_over(struct exporter *e, int64_t end_mono_ns)
{
    for (;;) {
        // In this order: who sees the end asked for sees its time too.
        const bool ended = span_queue_ended(e->queue);
        const int64_t now_mono_ns = clock_mono_ns();
        const int64_t limit_mono_ns = earlier(end_mono_ns, atomic_load(&e->end_mono_ns));
        if (now_mono_ns >= limit_mono_ns)
            return false;
        if (now_mono_ns >= e->pause_mono_ns || (e->pause_until_end && ended))
            return true;
        span_queue_sleep(e->queue, earlier(e->pause_mono_ns, limit_mono_ns), ended);
    }
}

// Until it is taken or refused, or the time is over.
static void send_batch(struct exporter *e, const struct bytes *request, int64_t spans)
{
    const int64_t end_mono_ns = clock_mono_ns() + e->config->export_timeout_ms * NS_PER_MS;
    const int64_t attempt_ms =
        e->config->timeout_ms == 0 ? e->config->export_timeout_ms : e->config->timeout_ms;
    struct otlp_reply reply = {.error_type = "timeout"};
    while (pause_over(e, end_mono_ns)) {
        const int64_t attempt_end = clock_mono_ns() + attempt_ms * NS_PER_MS;
        otlp_http_post(e->http, request, earlier(attempt_end, end_mono_ns), &reply);
        if (reply.status == 200) {
            e->failures = 0;
            take_answer(e, &reply, spans);
            return;
        }
        say_reply(e, &reply);
        if (!may_retry(e, &reply))
            break;
        pause_begin(e, reply.retry_after_s);
    }
    lose(e, reply.error_type, spans);
}

static int64_t list_free(struct span_bytes *spans)
{
    int64_t count_freed = 0;
    for (struct span_bytes *next; spans != NULL; spans = next, count_freed++) {
        next = spans->next;
        free(spans);
    }
    return count_freed;
}

static void export_batch(struct exporter *e)
{
    struct span_bytes *spans =
        span_queue_take(e->queue, (size_t)e->config->batch_max, REQUEST_BYTES_MAX);
    struct bytes request = {0};
    otlp_request(&request, e->resource, spans);
    send_batch(e, &request, list_free(spans));
    bytes_clear(&request);
}

static void *exporter_main(void *arg)
{
    struct exporter *e = arg;
    bool ended = false;
    while (!ended) {
        const int64_t until = clock_mono_ns() + e->config->schedule_delay_ms * NS_PER_MS;
        // Whole batches while there are some; when the time has come, what there is.
        const bool batch = span_queue_wait(e->queue, until);
        ended = span_queue_ended(e->queue);
        const size_t least = batch && !ended ? (size_t)e->config->batch_max : 1;
        while (span_queue_length(e->queue) >= least &&
               clock_mono_ns() < atomic_load(&e->end_mono_ns))
            export_batch(e);
    }
    return NULL;
}

// --- life ---
// The thread takes no signals: they are main's, and a SIGPIPE of the connection's is nobody's.
static void thread_start(struct exporter *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK_INT(pthread_create(&e->thread, NULL, exporter_main, e), ==, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(e->thread, "traces");
}

bool exporter_create(struct exporter **out, const struct otel_config *config,
                     const struct otel_list *resource, struct err *err)
{
    struct exporter *e = xcalloc(1, sizeof(*e));
    e->config = config;
    e->resource = resource;
    atomic_init(&e->end_mono_ns, INT64_MAX);
    if (!otlp_http_open(&e->http, config, err)) {
        free(e);
        return false;
    }
    e->queue = span_queue_create((size_t)config->queue_max, (size_t)config->batch_max);
    thread_start(e);
    *out = e;
    return true;
}

void exporter_stop(struct exporter *e, int64_t timeout_ms)
{
    const int64_t end_mono_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    atomic_store(&e->end_mono_ns, end_mono_ns);
    otlp_http_cut(e->http, end_mono_ns);
    span_queue_end(e->queue);
    CHECK_INT(pthread_join(e->thread, NULL), ==, 0);
    const size_t left = span_queue_length(e->queue);
    if (left > 0 || e->lost > 0)
        log_warn("trace", "spans lost: %zu", left + (size_t)e->lost);
    count("shutdown", (int64_t)left);
}

void exporter_destroy(struct exporter *e)
{
    if (e == NULL)
        return;
    otlp_http_close(e->http);
    span_queue_destroy(e->queue);
    free(e);
}
