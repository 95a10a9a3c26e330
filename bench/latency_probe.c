// SPDX-License-Identifier: Apache-2.0
// How long after a client sends an add does a reader of the total see it? Sends adds at a steady
// rate over one gRPC connection and polls GET /v1/total over one HTTP connection meanwhile. The
// total's count, once it has passed an add's place in the sequence, proves that the add is applied.
//
//   adds ─▶ adder … Kafka … totals ─▶ polls        all times from this one process's clock
//
// Nobody else may add meanwhile, and there must be one source. Prints `name value` lines.
#include "base/clock.h"
#include "base/int128.h"
#include "base/options.h"
#include "grpc/client.h"

#include "adder.pb-c.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US        500
#define ANSWER_BYTES   65536
#define CATCH_UP_MAX_S 30

struct add_times {
    int64_t sequence; // 0: not acknowledged
    int64_t sent_mono_ns, acked_mono_ns, applied_mono_ns;
};

struct probe {
    // fixed after start
    const char *host;
    int64_t adder_port, totals_port, rate, seconds;
    struct event_base *loop;
    struct grpc_channel *channel;
    struct bufferevent *http;
    int64_t adds_wanted;
    // the loop's
    struct add_times *adds; // adds_wanted
    int64_t started_mono_ns, sent, ended, failed;
    struct applied { // when the count was first seen
        int64_t count, seen_mono_ns;
    } * steps;
    size_t steps_count, steps_max;
    int64_t count_before; // -1: not read yet
    bool polling;
    const char *trouble; // NULL: none
};

static void stop_with(struct probe *p, const char *trouble)
{
    p->trouble = trouble;
    event_base_loopbreak(p->loop);
}

// --- adds ---
struct pending {
    struct probe *probe;
    int64_t index;
};

static void on_added(const struct grpc_result *result, void *ctx)
{
    struct pending *pending = ctx;
    struct probe *p = pending->probe;
    struct add_times *times = &p->adds[pending->index];
    free(pending);
    p->ended++;
    Abacus__V1__AddResponse *answer = NULL;
    if (result->status == GRPC_OK)
        answer =
            abacus__v1__add_response__unpack(NULL, result->message.length, result->message.data);
    if (answer == NULL) {
        p->failed++;
        return;
    }
    times->acked_mono_ns = clock_mono_ns();
    times->sequence = answer->sequence;
    abacus__v1__add_response__free_unpacked(answer, NULL);
}

static void send_add(struct probe *p)
{
    Abacus__V1__AddRequest request = ABACUS__V1__ADD_REQUEST__INIT;
    request.a = 1;
    request.b = 1;
    uint8_t bytes[32];
    struct pending *pending = xcalloc(1, sizeof(*pending));
    *pending = (struct pending){.probe = p, .index = p->sent++};
    p->adds[pending->index].sent_mono_ns = clock_mono_ns();
    const struct grpc_call_spec spec = {
        .path = "/abacus.v1.Adder/Add",
        .message = {bytes, abacus__v1__add_request__pack(&request, bytes)},
        .timeout_ms = 10000,
        .on_done = on_added,
        .ctx = pending,
    };
    struct err err;
    if (!grpc_channel_call(p->channel, &spec, &err)) {
        free(pending);
        stop_with(p, "the adder's connection ended");
    }
}

// --- polls ---
static void poll_total(struct probe *p)
{
    static const char request[] = "GET /v1/total HTTP/1.1\r\nHost: probe\r\n\r\n";
    p->polling = true;
    bufferevent_write(p->http, request, sizeof(request) - 1);
}

static bool count_of(const char *body, int64_t *count)
{
    static const char name[] = "\"count\":\"";
    const char *at = strstr(body, name);
    if (at == NULL)
        return false;
    at += sizeof(name) - 1;
    return int64_parse(at, strcspn(at, "\""), count);
}

static void on_count(struct probe *p, int64_t count)
{
    if (p->count_before < 0) {
        p->count_before = count;
        p->started_mono_ns = clock_mono_ns();
    } else if (p->steps_count == 0 || p->steps[p->steps_count - 1].count != count) {
        CHECK_INT(p->steps_count, <, p->steps_max); // each step is one more add at least
        p->steps[p->steps_count++] = (struct applied){count, clock_mono_ns()};
    }
    if (count >= p->count_before + p->adds_wanted && p->ended == p->adds_wanted)
        event_base_loopbreak(p->loop);
}

// The answer is complete when its body is as long as its head says.
static void on_readable(struct bufferevent *http, void *ctx)
{
    struct probe *p = ctx;
    char answer[ANSWER_BYTES];
    const ssize_t n = evbuffer_copyout(bufferevent_get_input(http), answer, sizeof(answer) - 1);
    answer[n < 0 ? 0 : n] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    const char *length_at = strcasestr(answer, "content-length:");
    if (body == NULL || length_at == NULL)
        return;
    body += 4;
    const size_t length = strtoul(length_at + strlen("content-length:"), NULL, 10);
    const size_t head = (size_t)(body - answer);
    if (head + length > (size_t)n)
        return;
    int64_t count;
    if (!count_of(body, &count)) {
        stop_with(p, "the answer of /v1/total has no count");
        return;
    }
    evbuffer_drain(bufferevent_get_input(http), head + length);
    p->polling = false;
    on_count(p, count);
}

static void on_http_event(struct bufferevent *http, short what, void *ctx)
{
    (void)http;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        stop_with(ctx, "the connection to totals ended");
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct probe *p = ctx;
    if (!p->polling)
        poll_total(p);
    if (p->count_before < 0)
        return;
    const int64_t elapsed_ns = clock_mono_ns() - p->started_mono_ns;
    int64_t due = elapsed_ns / (NS_PER_S / p->rate);
    due = due < p->adds_wanted ? due : p->adds_wanted;
    while (p->sent < due && p->trouble == NULL)
        send_add(p);
    if (elapsed_ns > (p->seconds + CATCH_UP_MAX_S) * NS_PER_S)
        stop_with(p, "the total did not catch up in time");
}

// --- result ---
static int by_sequence(const void *left, const void *right)
{
    const int64_t l = ((const struct add_times *)left)->sequence;
    const int64_t r = ((const struct add_times *)right)->sequence;
    return (l > r) - (l < r);
}

static int by_value(const void *left, const void *right)
{
    const int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;
    return (l > r) - (l < r);
}

static void print_percentiles(const char *name, int64_t *values_ns, size_t count)
{
    static const double percents[] = {50, 90, 99, 99.9};
    qsort(values_ns, count, sizeof(*values_ns), by_value);
    for (size_t i = 0; i < COUNT_OF(percents); i++) {
        const size_t at = (size_t)((double)(count - 1) * percents[i] / 100);
        printf("%s_p%g_ms %.3f\n", name, percents[i], (double)values_ns[at] / NS_PER_MS);
    }
}

static void report(struct probe *p)
{
    const size_t n = (size_t)p->adds_wanted;
    qsort(p->adds, n, sizeof(*p->adds), by_sequence);
    int64_t *acked_ns = xcalloc(n, sizeof(*acked_ns)),
            *applied_ns = xcalloc(n, sizeof(*applied_ns));
    for (size_t i = 0, step = 0; i < n; i++) {
        while (p->steps[step].count < p->count_before + (int64_t)i + 1)
            step++;
        acked_ns[i] = p->adds[i].acked_mono_ns - p->adds[i].sent_mono_ns;
        applied_ns[i] = p->steps[step].seen_mono_ns - p->adds[i].sent_mono_ns;
    }
    printf("adds %zu\n", n);
    print_percentiles("acknowledged", acked_ns, n);
    print_percentiles("in_total", applied_ns, n);
    free(acked_ns);
    free(applied_ns);
}

// --- set-up ---
#define FIELD(name) .offset = offsetof(struct probe, name)
static const struct option table[] = {
    {"adder-port", OPTION_INT, FIELD(adder_port), "50051", 1, 65535, .text = "gRPC port of adder."},
    {"totals-port", OPTION_INT, FIELD(totals_port), "8080", 1, 65535, .text = "Port of totals."},
    {"rate", OPTION_INT, FIELD(rate), "1000", 1, 100000, .unit = "PER_S", .text = "Adds a second."},
    {"seconds", OPTION_INT, FIELD(seconds), "10", 1, 3600, .unit = "S", .text = "How long."},
};

static bool connect_both(struct probe *p, struct err *err)
{
    char port[16];
    snprintf(port, sizeof(port), "%" PRId64, p->adder_port);
    const struct grpc_channel_config config = {.host = "127.0.0.1", .port = port};
    if (!grpc_channel_create(&p->channel, p->loop, &config, err))
        return false;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)p->totals_port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    p->http = bufferevent_socket_new(p->loop, -1, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(p->http, on_readable, NULL, on_http_event, p);
    bufferevent_enable(p->http, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(p->http, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return err_set(err, ERR_UNAVAILABLE, "totals: cannot connect");
    return true;
}

static void run(struct probe *p)
{
    p->adds_wanted = p->rate * p->seconds;
    p->adds = xcalloc((size_t)p->adds_wanted, sizeof(*p->adds));
    p->steps_max = (size_t)p->adds_wanted + 1;
    p->steps = xcalloc(p->steps_max, sizeof(*p->steps));
    p->count_before = -1;
    const struct timeval tick = {.tv_usec = TICK_US};
    struct event *timer = event_new(p->loop, -1, EV_PERSIST, on_tick, p);
    event_add(timer, &tick);
    event_base_dispatch(p->loop);
    event_free(timer);
}

int main(int argc, char **argv)
{
    static const struct options_usage usage = {"latency_probe", "[OPTION]...",
                                               "Measures the time from an add to the total.", 0};
    struct probe probe = {0};
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &probe, &none);
    if (outcome != OPTIONS_RUN)
        return outcome == OPTIONS_EXIT_OK ? 0 : 2;
    probe.loop = event_base_new();
    struct err err = {.text = ""};
    if (!connect_both(&probe, &err)) {
        fprintf(stderr, "latency_probe: %s\n", err.text);
        return 1;
    }
    run(&probe);
    if (probe.trouble == NULL && probe.failed > 0)
        probe.trouble = "some adds failed";
    if (probe.trouble == NULL)
        report(&probe);
    else
        fprintf(stderr, "latency_probe: %s\n", probe.trouble);
    grpc_channel_destroy(probe.channel);
    bufferevent_free(probe.http);
    event_base_free(probe.loop);
    free(probe.adds);
    free(probe.steps);
    return probe.trouble == NULL ? 0 : 1;
}
