// SPDX-License-Identifier: Apache-2.0
// A whole server connection under a stranger's script. Each command is a letter and a stream:
//   H path field    request headers; h: and END_STREAM
//   D length bytes… DATA; d: and END_STREAM
//   R error         RST_STREAM
//   W step          WINDOW_UPDATE
//   I window        SETTINGS: what a stream may be sent
//   B length bytes… those bytes
// and, after which the frames so far arrive:
//   A               handlers that owe an answer give it
//   r               the client reads
//   G               the graceful end begins
//   others          the time limits are looked at
// Whatever it is: every call ends once, every answer owed can be given, nothing is left behind.
#include "grpc/call.h"

#include "fuzz.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARKED_MAX    64
#define MESSAGE_BYTES 100 // small, so that a script reaches what all may hold together
#define UNSENT_BYTES  3000

struct script {
    const uint8_t *at, *end;
    struct bytes wire;
    int fd;
};

// --- methods ---
static struct grpc_call *parked[PARKED_MAX];
static size_t parked_count, streams_known;

static void on_echo(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    grpc_call_reply(call, message.data, message.length);
}

static void on_later(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)message, (void)ctx;
    if (parked_count < PARKED_MAX)
        parked[parked_count++] = call;
    else
        grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "FULL", "%s", "no room");
}

static void answer_parked(void)
{
    for (size_t i = 0; i < parked_count; i++)
        grpc_call_reply(parked[i], "late", 4);
    parked_count = 0;
}

static void on_stream(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    bool *known = grpc_call_state(call);
    streams_known += !*known;
    *known = true;
    for (int i = 0; i < 3; i++) {
        if (!grpc_call_send(call, message.data, message.length)) {
            streams_known--; // ended by that
            return;
        }
    }
}

static void on_stream_end(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    const bool *known = grpc_call_state(call);
    streams_known -= *known;
    grpc_call_finish(call, GRPC_OK, "");
}

static void on_stream_gone(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    const bool *known = grpc_call_state(call);
    streams_known -= *known;
}

#define ROUTE(name, ...)                                                       \
    {                                                                          \
        .method = {.path = name, __VA_ARGS__}, .path_length = sizeof(name) - 1 \
    }
static const struct grpc_route routes[] = {
    ROUTE("/e", .on_message = on_echo),
    ROUTE("/l", .on_message = on_later),
    ROUTE("/s", .on_message = on_stream, .on_gone = on_stream_gone, .kind = GRPC_SERVER_STREAM,
          .state_bytes = sizeof(bool)),
    ROUTE("/b", .on_message = on_stream, .on_gone = on_stream_gone, .kind = GRPC_BIDI_STREAM,
          .state_bytes = sizeof(bool), .on_half_close = on_stream_end),
};

// --- the script's commands ---
static uint8_t next(struct script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void frame(struct script *s, int type, int flags, int32_t stream, const void *payload,
                  size_t length)
{
    const uint8_t head[] = {
        0, (uint8_t)(length >> 8), (uint8_t)length, (uint8_t)type, (uint8_t)flags, 0,
        0, (uint8_t)(stream >> 8), (uint8_t)stream};
    bytes_append(&s->wire, head, sizeof(head));
    bytes_append(&s->wire, payload, length);
}

static void literal(struct bytes *block, const char *name, const char *value)
{
    const uint8_t lengths[] = {0, (uint8_t)strlen(name), (uint8_t)strlen(value)};
    bytes_append(block, lengths, 2);
    bytes_append_text(block, name);
    bytes_append(block, lengths + 2, 1);
    bytes_append_text(block, value);
}

static void headers(struct script *s, int32_t stream, int flags)
{
    static const char *const paths[] = {"/e", "/l", "/s", "/b", "/none"};
    static const char *const more[][2] = {
        {"x", "y"},
        {"x", "y"},
        {"grpc-encoding", "gzip"},
        {"x-bin", "Zg,?"},
        {"x-bin", "Zg,,Zg"},
        {"grpc-timeout", "1n"},
        {"grpc-encoding", "z"},
        {"grpc-timeout", "1H"},
    };
    struct bytes block = {0};
    literal(&block, ":method", "POST");
    literal(&block, ":scheme", "http");
    literal(&block, ":authority", "x");
    literal(&block, ":path", paths[next(s) % COUNT_OF(paths)]);
    literal(&block, "content-type", "application/grpc");
    const char *const *field = more[next(s) % COUNT_OF(more)];
    literal(&block, field[0], field[1]);
    frame(s, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, block.data, block.length);
    bytes_clear(&block);
}

// Bytes of the script as they are.
static struct grpc_slice take(struct script *s)
{
    const size_t wanted = next(s), left = (size_t)(s->end - s->at);
    const struct grpc_slice slice = {s->at, wanted < left ? wanted : left};
    s->at += slice.length;
    return slice;
}

static void data(struct script *s, int32_t stream, int flags)
{
    const struct grpc_slice slice = take(s);
    frame(s, NGHTTP2_DATA, flags, stream, slice.data, slice.length);
}

static void number(struct script *s, int type, int32_t stream)
{
    const uint8_t value[] = {0, next(s), 0, next(s)};
    frame(s, type, 0, stream, value, sizeof(value));
}

static void window(struct script *s)
{
    const uint8_t setting[] = {0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, next(s), 0};
    frame(s, NGHTTP2_SETTINGS, 0, 0, setting, sizeof(setting));
}

// False: the letter is no frame's.
static bool frame_add(struct script *s, char letter, int32_t stream)
{
    struct grpc_slice raw;
    switch (letter) {
    case 'H':
    case 'h':
        headers(s, stream, letter == 'h' ? NGHTTP2_FLAG_END_STREAM : 0);
        return true;
    case 'D':
    case 'd':
        data(s, stream, letter == 'd' ? NGHTTP2_FLAG_END_STREAM : 0);
        return true;
    case 'R':
        number(s, NGHTTP2_RST_STREAM, stream);
        return true;
    case 'W':
        number(s, NGHTTP2_WINDOW_UPDATE, stream);
        return true;
    case 'I':
        window(s);
        return true;
    case 'B':
        raw = take(s);
        bytes_append(&s->wire, raw.data, raw.length);
        return true;
    default:
        return false;
    }
}

static void act(struct script *s, struct grpc_loop *loop, char letter)
{
    static uint8_t sink[65536];
    struct grpc_connection *c = LIST_FIRST(&loop->connections);
    if (letter == 'A')
        answer_parked();
    else if (letter == 'r')
        (void)recv(s->fd, sink, sizeof(sink), 0);
    else if (letter == 'G' && c != NULL)
        grpc_connection_drain(c, "shutdown", INT64_MAX);
    else
        grpc_connections_sweep(loop);
}

static void turn(struct script *s, struct grpc_loop *loop)
{
    if (s->wire.length > 0)
        (void)send(s->fd, s->wire.data, s->wire.length, MSG_NOSIGNAL);
    bytes_reset(&s->wire);
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
    grpc_connections_flush(loop);
}

// --- one run ---
static struct grpc_core *core(void)
{
    static struct grpc_core core = {
        .config = {.streams_max = 30,
                   .message_bytes_max = MESSAGE_BYTES,
                   .header_list_bytes_max = 1000,
                   .unsent_bytes_max = UNSENT_BYTES,
                   .ping_interval_min_ms = 1000,
                   .resets_burst_max = 20,
                   .resets_per_s = 1,
                   .handshake_timeout_ms = 1000,
                   .request_timeout_ms = 1000,
                   .stall_timeout_ms = 1000,
                   .keepalive_ms = 1000,
                   .keepalive_timeout_ms = 1000},
        .rules = {routes, COUNT_OF(routes), 1000},
        .state_bytes_max = sizeof(bool),
    };
    if (core.callbacks == NULL) {
        core.callbacks = grpc_session_callbacks();
        core.options = grpc_session_options();
    }
    return &core;
}

static void loop_clear(struct grpc_loop *loop)
{
    while (!LIST_EMPTY(&loop->connections))
        grpc_connection_close(LIST_FIRST(&loop->connections));
    answer_parked();
    grpc_connections_flush(loop);
    CHECK(LIST_EMPTY(&loop->closed) && LIST_EMPTY(&loop->dirty));
    CHECK_INT(atomic_load(&loop->connections_open), ==, 0);
    CHECK_INT(atomic_load(&loop->calls_open), ==, 0);
    CHECK_INT(streams_known, ==, 0);
    bytes_clear(&loop->output);
    event_base_free(loop->base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t input[GRPC_LOOP_READ_BYTES];
    struct grpc_loop loop = {.core = core(), .base = event_base_new(), .input = input};
    struct script script = {.at = data, .end = data + size};
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
    script.fd = pair[0];
    grpc_connection_open(&loop, pair[1]);
    bytes_append_text(&script.wire, NGHTTP2_CLIENT_MAGIC);
    frame(&script, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    while (script.at < script.end) {
        const char letter = (char)next(&script);
        const int32_t stream = next(&script);
        if (frame_add(&script, letter, stream))
            continue;
        turn(&script, &loop); // what was sent so far arrives together, before what follows
        act(&script, &loop, letter);
        turn(&script, &loop);
    }
    turn(&script, &loop);
    loop_clear(&loop);
    close(pair[0]);
    bytes_clear(&script.wire);
    return 0;
}
