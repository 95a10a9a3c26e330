// SPDX-License-Identifier: Apache-2.0
#include "rig.h"

#include "base/clock.h"
#include "base/mailbox.h"

#include <event2/event.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARKED_MAX 1000

struct parked {
    struct grpc_call *call;
    uint8_t message[64];
    size_t length;
};

struct rig_shared {
    struct mailbox *release; // woken, never filled
    sem_t parked;
    _Atomic int gone_count;
    // the server's thread
    bool released;
    struct parked calls[PARKED_MAX];
    size_t count;
};

// --- the server's methods ---
static void on_echo(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    grpc_call_reply(call, message.data, message.length);
}

static void on_large(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    char digits[16] = "";
    assert_true(message.length < sizeof(digits));
    memcpy(digits, message.data, message.length);
    const size_t length = strtoul(digits, NULL, 10);
    uint8_t *answer = xcalloc(1, length + 1);
    grpc_call_reply(call, answer, length);
    free(answer);
}

static void on_fail(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)message, (void)ctx;
    grpc_call_fail(call, GRPC_OUT_OF_RANGE, "SUM_OUT_OF_RANGE", "100%% of %s is\ntoo much", "it");
}

static void parked_answer(struct rig_shared *s, const struct parked *p)
{
    if (grpc_call_gone(p->call))
        atomic_fetch_add(&s->gone_count, 1);
    grpc_call_reply(p->call, p->message, p->length);
}

static void on_park(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    struct rig_shared *s = ctx;
    struct parked parked = {.call = call, .length = message.length};
    assert_true(message.length <= sizeof(parked.message));
    if (message.length > 0)
        memcpy(parked.message, message.data, message.length);
    if (s->released) {
        parked_answer(s, &parked);
    } else {
        assert_true(s->count < PARKED_MAX);
        s->calls[s->count++] = parked;
    }
    sem_post(&s->parked);
}

static void on_release(void *ctx)
{
    struct rig_shared *s = ctx;
    (void)mailbox_take(s->release, 1);
    s->released = true;
    for (size_t i = 0; i < s->count; i++)
        parked_answer(s, &s->calls[i]);
    s->count = 0;
}

// --- the rig ---
void rig_start(struct rig *rig, struct grpc_server_config config)
{
    struct rig_shared *s = xcalloc(1, sizeof(*s));
    s->release = mailbox_create(1);
    sem_init(&s->parked, 0, 0);
    const struct grpc_method methods[RIG_METHODS] = {
        {.path = RIG_ECHO, .on_message = on_echo},
        {.path = RIG_PARK, .on_message = on_park, .ctx = s},
        {.path = RIG_LARGE, .on_message = on_large},
        {.path = RIG_FAIL, .on_message = on_fail},
    };
    config.address = "127.0.0.1";
    config.loops = config.loops > 0 ? config.loops : 1;
    struct err err;
    *rig = (struct rig){.shared = s, .base = event_base_new()};
    EXPECT(grpc_server_create(&rig->server, &config, methods, COUNT_OF(methods), &err), "%s",
           err.text);
    grpc_server_watch(rig->server, 0, mailbox_fd(s->release), on_release, s);
    snprintf(rig->port, sizeof(rig->port), "%d", grpc_server_port(rig->server));
    grpc_server_start(rig->server);
}

void rig_end(struct rig *rig)
{
    grpc_server_destroy(rig->server);
    event_base_free(rig->base);
    mailbox_destroy(rig->shared->release);
    sem_destroy(&rig->shared->parked);
    free(rig->shared);
}

// One turn of the loop, also when nothing happens.
static void turn(struct rig *rig)
{
    const struct timeval tick = {.tv_usec = 5000};
    event_base_loopexit(rig->base, &tick);
    event_base_loop(rig->base, EVLOOP_ONCE);
}

void rig_await_parked(struct rig *rig, int count)
{
    const int64_t patience_mono_ns = clock_mono_ns() + RIG_PATIENCE_MS * NS_PER_MS;
    for (int i = 0; i < count; i++) {
        while (sem_trywait(&rig->shared->parked) < 0) { // the calls are sent from our loop
            EXPECT(clock_mono_ns() < patience_mono_ns, "only %d calls were parked", i);
            turn(rig);
        }
    }
}

void rig_await_connections(struct rig *rig, int64_t count)
{
    const int64_t patience_mono_ns = clock_mono_ns() + RIG_PATIENCE_MS * NS_PER_MS;
    int64_t is;
    while ((is = grpc_server_stats(rig->server).connections) != count) {
        EXPECT(clock_mono_ns() < patience_mono_ns, "%d connections stay", (int)is);
        turn(rig);
    }
}

void rig_release(struct rig *rig)
{
    mailbox_wake(rig->shared->release);
}

int rig_gone_count(struct rig *rig)
{
    return atomic_load(&rig->shared->gone_count);
}

// --- calls ---
struct grpc_channel *rig_channel(struct rig *rig, const struct grpc_channel_config *config)
{
    struct grpc_channel_config mine = config != NULL ? *config : (struct grpc_channel_config){0};
    if (mine.connect_timeout_ms == 0)
        mine.connect_timeout_ms = RIG_PATIENCE_MS;
    mine.host = "127.0.0.1";
    mine.port = rig->port;
    struct grpc_channel *channel;
    struct err err;
    EXPECT(grpc_channel_create(&channel, rig->base, &mine, &err), "%s", err.text);
    return channel;
}

static void on_done(const struct grpc_result *result, void *ctx)
{
    struct rig_outcome *out = ctx;
    EXPECT(!out->done, "a call was answered twice");
    *out = (struct rig_outcome){.done = true,
                                .status = result->status,
                                .answered = result->answered,
                                .not_processed = result->not_processed,
                                .message_bytes = result->message.length,
                                .details_bytes = result->details.length};
    snprintf(out->text, sizeof(out->text), "%s", result->text);
    if (result->message.length > 0)
        out->first = result->message.data[0];
}

bool rig_call(struct grpc_channel *channel, struct rig_outcome *out,
              const struct grpc_call_spec *spec)
{
    struct grpc_call_spec mine = *spec;
    mine.on_done = on_done;
    mine.ctx = out;
    *out = (struct rig_outcome){0};
    struct err err;
    return grpc_channel_call(channel, &mine, &err);
}

void rig_run_until(struct rig *rig, const bool *done)
{
    const int64_t patience_mono_ns = clock_mono_ns() + RIG_PATIENCE_MS * NS_PER_MS;
    while (!*done) {
        EXPECT(clock_mono_ns() < patience_mono_ns, "nothing came in time");
        turn(rig);
    }
}

void rig_await(struct rig *rig, const struct rig_outcome *outcomes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rig_run_until(rig, &outcomes[i].done);
}

void rig_call_overdue(struct rig *rig, struct grpc_channel *channel, struct rig_outcome *out)
{
    struct rig_outcome after;
    for (int64_t timeout_ms = 30; timeout_ms < RIG_PATIENCE_MS; timeout_ms *= 2) {
        const struct grpc_call_spec spec = {.path = RIG_PARK, .timeout_ms = timeout_ms};
        assert_true(rig_call(channel, out, &spec));
        rig_run_until(rig, &out->done);
        // Whatever this one's answer is, the server has seen all before it by then.
        assert_true(rig_call(channel, &after, &(struct grpc_call_spec){.path = RIG_ECHO}));
        rig_run_until(rig, &after.done);
        if (sem_trywait(&rig->shared->parked) == 0)
            return;
    }
    fail_msg("no call got as far as Park: %s", out->text);
}

struct rig_outcome rig_ask(struct rig *rig, const struct grpc_call_spec *spec)
{
    struct rig_outcome out;
    struct grpc_channel *channel = rig_channel(rig, NULL);
    assert_true(rig_call(channel, &out, spec));
    rig_run_until(rig, &out.done);
    grpc_channel_destroy(channel);
    return out;
}

const char *rig_shown(const struct rig_outcome *outcome)
{
    static char text[256];
    if (outcome->status == GRPC_OK)
        return "OK";
    snprintf(text, sizeof(text), "%s: %s", grpc_status_name((int)outcome->status), outcome->text);
    return text;
}
