// SPDX-License-Identifier: Apache-2.0
// One call on a connection of its own, for programs that have nothing else to do meanwhile.
#include "base/bytes.h"
#include "grpc/client.h"

#include <event2/event.h>

struct waiter {
    struct grpc_answer *out;
    bool done;
};

static void on_done(const struct grpc_result *result, void *ctx)
{
    struct waiter *w = ctx;
    w->done = true;
    w->out->status = result->status;
    w->out->answered = result->answered;
    bytes_append_text(&w->out->text, result->text);
    bytes_append(&w->out->message, result->message.data, result->message.length);
    bytes_append(&w->out->details, result->details.data, result->details.length);
}

static void failed(struct grpc_answer *out, const struct err *err)
{
    out->status = GRPC_UNAVAILABLE;
    bytes_append_text(&out->text, err->text);
}

void grpc_call_blocking(const char *host, const char *port, const struct grpc_call_spec *spec,
                        struct grpc_answer *out)
{
    *out = (struct grpc_answer){0};
    struct event_base *base = event_base_new();
    CHECK(base != NULL);
    struct waiter waiter = {.out = out};
    struct grpc_call_spec mine = *spec;
    mine.on_done = on_done;
    mine.ctx = &waiter;
    const struct grpc_channel_config config = {.host = host, .port = port};
    struct grpc_channel *channel = NULL;
    struct err err;
    if (!grpc_channel_create(&channel, base, &config, &err) ||
        !grpc_channel_call(channel, &mine, &err))
        failed(out, &err);
    else
        while (!waiter.done)
            event_base_loop(base, EVLOOP_ONCE);
    grpc_channel_destroy(channel);
    event_base_free(base);
}

void grpc_answer_clear(struct grpc_answer *answer)
{
    bytes_clear(&answer->text);
    bytes_clear(&answer->message);
    bytes_clear(&answer->details);
}
