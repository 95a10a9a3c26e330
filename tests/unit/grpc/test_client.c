// SPDX-License-Identifier: Apache-2.0
// The client against a server that does what ours never would: a script of raw frames.
#include "base/bytes.h"
#include "grpc/client.h"
#include "unit.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000 // what takes longer has failed

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

// --- what the script server says ---
static void frame(struct bytes *b, int type, int flags, uint32_t stream, const void *payload,
                  size_t length)
{
    const uint8_t head[] = {
        (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length,
        (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    bytes_append(b, head, sizeof(head));
    bytes_append(b, payload, length);
}

// "name: value" lines as literals that no table remembers (RFC 7541 §6.2.2).
static void headers(struct bytes *b, int flags, const char *lines)
{
    struct bytes block = {0};
    while (*lines != '\0') {
        const char *colon = strstr(lines, ": "), *end = strchr(lines, '\n');
        const size_t name = (size_t)(colon - lines), value = (size_t)(end - colon) - 2;
        const uint8_t lengths[] = {0, (uint8_t)name, (uint8_t)value};
        assert_true(name < 127 && value < 127); // one byte each
        bytes_append(&block, lengths, 2);
        bytes_append(&block, lines, name);
        bytes_append(&block, lengths + 2, 1);
        bytes_append(&block, colon + 2, value);
        lines = end + 1;
    }
    frame(b, HEADERS, flags | END_HEADERS, 1, block.data, block.length);
    bytes_clear(&block);
}

#define HEAD    ":status: 200\ncontent-type: application/grpc\n"
#define MESSAGE "\0\0\0\0\2hi"

struct script {
    const char *what;
    void (*say)(struct bytes *b);
    enum { THEN_WAIT, THEN_HANG_UP, EARLY } how; // EARLY: before it has read the whole request
    enum grpc_status status;
    bool answered, not_processed;
    const char *text; // a part of it
};

static void answer(struct bytes *b, const char *head, const void *data, size_t length,
                   const char *trailers)
{
    headers(b, 0, head);
    frame(b, DATA, 0, 1, data, length);
    headers(b, END_STREAM, trailers);
}

#define SAY(name, ...)                \
    static void name(struct bytes *b) \
    {                                 \
        __VA_ARGS__;                  \
    }
#define ANSWER(name, data, trailers) SAY(name, answer(b, HEAD, data, sizeof(data) - 1, trailers))
#define RESET(name, error)           SAY(name, frame(b, RST_STREAM, 0, 1, "\0\0\0" error, 4))

SAY(nothing, (void)b)
SAY(garbage, bytes_append_text(b, "HTTP/1.1 400 Bad Request\r\n\r\n<html></html>"))
ANSWER(ok, MESSAGE, "grpc-status: 0\n")
ANSWER(ok_with_text, MESSAGE, "grpc-status: 0\ngrpc-message: fine\n")
ANSWER(ok_empty, "\0\0\0\0\0", "grpc-status: 0\n")
ANSWER(ok_without_message, "", "grpc-status: 0\n")
ANSWER(ok_with_half, "\0\0\0\0\2h", "grpc-status: 0\n")
ANSWER(two_messages, MESSAGE MESSAGE, "grpc-status: 0\n")
ANSWER(compressed, "\1\0\0\0\2hi", "grpc-status: 0\n")
ANSWER(malformed, "\2\0\0\0\2hi", "grpc-status: 0\n")
ANSWER(too_large, "\0\0\100\0\1", "grpc-status: 0\n")
ANSWER(strange_status, MESSAGE, "grpc-status: 17\n")
ANSWER(no_number, MESSAGE, "grpc-status: abc\n")
ANSWER(no_status, MESSAGE, "x: y\n")
SAY(refusal, headers(b, END_STREAM, HEAD "grpc-status: 3\ngrpc-message: b%C3%A4d\n"))
SAY(bad_details, headers(b, END_STREAM, HEAD "grpc-status: 9\ngrpc-status-details-bin: ?\n"))
SAY(http_503, headers(b, END_STREAM, ":status: 503\n"))
SAY(http_401, headers(b, END_STREAM, ":status: 401\ncontent-type: text/html\n"))
SAY(http_page, answer(b, ":status: 404\ncontent-type: text/html\n", "<html>", 6, "a: b\n"))
SAY(http_200, headers(b, END_STREAM, ":status: 200\ncontent-type: text/html\n"))
SAY(http_400_of_grpc,
    headers(b, END_STREAM, ":status: 400\ncontent-type: application/grpc\ngrpc-status: 13\n"))
RESET(reset_no_error, "\0")
RESET(reset_protocol, "\1")
RESET(reset_refused, "\7")
RESET(reset_cancel, "\10")
RESET(reset_calm, "\13")
RESET(reset_security, "\14")
SAY(status_then_reset, headers(b, 0, HEAD "grpc-status: 0\n"); reset_protocol(b))
SAY(goaway_before, frame(b, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye", 11))
SAY(goaway_after, frame(b, GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8); ok(b))

static void many_fields(struct bytes *b)
{
    struct bytes lines = {0};
    bytes_append_text(&lines, HEAD);
    for (int i = 0; i < 200; i++)
        bytes_printf(&lines, "x: %070d\n", i);
    headers(b, 0, (char *)lines.data);
    bytes_clear(&lines);
}

static const struct script scripts[] = {
    // what                    say      how      status  answered, not processed, text
    {"an answer", ok, THEN_WAIT, GRPC_OK, true, false, ""},
    {"an answer, then the end", ok, THEN_HANG_UP, GRPC_OK, true, false, ""},
    {"an empty answer", ok_empty, THEN_WAIT, GRPC_OK, true, false, ""},
    {"OK with a text", ok_with_text, THEN_WAIT, GRPC_OK, true, false, "fine"},
    {"a refusal", refusal, THEN_WAIT, GRPC_INVALID_ARGUMENT, true, false,
     "b\xc3\xa4"
     "d"},
    {"details that are none", bad_details, THEN_WAIT, GRPC_FAILED_PRECONDITION, true, false, ""},
    {"OK without a message", ok_without_message, THEN_WAIT, GRPC_INTERNAL, false, false,
     "no answer"},
    {"OK within a message", ok_with_half, THEN_WAIT, GRPC_INTERNAL, false, false, "no answer"},
    {"two messages", two_messages, THEN_WAIT, GRPC_INTERNAL, false, false, "more than one"},
    {"a compressed one", compressed, THEN_WAIT, GRPC_INTERNAL, false, false, "compressed"},
    {"a malformed one", malformed, THEN_WAIT, GRPC_INTERNAL, false, false, "malformed"},
    {"one above 4 MiB", too_large, THEN_WAIT, GRPC_RESOURCE_EXHAUSTED, false, false, "too large"},
    {"a status that is none", strange_status, THEN_WAIT, GRPC_UNKNOWN, true, false, ""},
    {"a status without number", no_number, THEN_WAIT, GRPC_UNKNOWN, true, false, ""},
    {"no status", no_status, THEN_WAIT, GRPC_UNKNOWN, false, false, "HTTP status 200"},
    {"HTTP 503", http_503, THEN_WAIT, GRPC_UNAVAILABLE, false, false, "503"},
    {"HTTP 401", http_401, THEN_WAIT, GRPC_UNAUTHENTICATED, false, false, "401"},
    {"HTTP 404 and a page", http_page, THEN_WAIT, GRPC_UNIMPLEMENTED, false, false, "404"},
    {"a page", http_200, THEN_WAIT, GRPC_UNKNOWN, false, false, "200"},
    {"HTTP 400 of gRPC", http_400_of_grpc, THEN_WAIT, GRPC_INTERNAL, true, false, ""},
    {"RST NO_ERROR", reset_no_error, THEN_WAIT, GRPC_INTERNAL, false, false, "reset"},
    {"RST PROTOCOL_ERROR", reset_protocol, THEN_WAIT, GRPC_INTERNAL, false, false, "PROTOCOL"},
    {"RST REFUSED_STREAM", reset_refused, THEN_WAIT, GRPC_UNAVAILABLE, false, true, "REFUSED"},
    {"RST CANCEL", reset_cancel, THEN_WAIT, GRPC_CANCELLED, false, false, "CANCEL"},
    {"RST ENHANCE_YOUR_CALM", reset_calm, THEN_WAIT, GRPC_RESOURCE_EXHAUSTED, false, false, "CALM"},
    {"RST INADEQUATE_SECURITY", reset_security, THEN_WAIT, GRPC_PERMISSION_DENIED, false, false,
     ""},
    {"a status, but no end", status_then_reset, THEN_WAIT, GRPC_INTERNAL, false, false, "PROTOCOL"},
    {"GOAWAY below the call", goaway_before, THEN_WAIT, GRPC_UNAVAILABLE, false, true, ""},
    {"GOAWAY, then the answer", goaway_after, THEN_WAIT, GRPC_OK, true, false, ""},
    {"the end", nothing, THEN_HANG_UP, GRPC_UNAVAILABLE, false, false, "closed the connection"},
    {"garbage", garbage, THEN_HANG_UP, GRPC_UNAVAILABLE, false, false, ""},
    {"a refusal too early", refusal, EARLY, GRPC_INVALID_ARGUMENT, true, false, ""},
    {"too many fields", many_fields, THEN_WAIT, GRPC_INTERNAL, false, false, "header list"},
};

// --- the script server: one connection, on a thread ---
struct server {
    const struct script *script;
    int listen_fd;
    pthread_t thread;
};

static bool read_all(int fd, uint8_t *out, size_t length)
{
    return recv(fd, out, length, MSG_WAITALL) == (ssize_t)length;
}

// Until the frame that ends the request, or its headers.
static void request_read(int fd, bool headers_only)
{
    uint8_t head[24], payload[16384]; // the preface is as long as that
    assert_true(read_all(fd, head, 24));
    bool ended = false;
    while (!ended && read_all(fd, head, 9)) {
        const size_t length = (size_t)head[1] << 8 | head[2];
        assert_true(length <= sizeof(payload) && read_all(fd, payload, length));
        ended = headers_only ? head[3] == HEADERS : head[3] == DATA && (head[4] & END_STREAM);
    }
}

static void *serve(void *arg)
{
    struct server *s = arg;
    uint8_t rest[4096];
    const int fd = accept(s->listen_fd, NULL, NULL);
    struct bytes said = {0};
    frame(&said, SETTINGS, 0, 0, NULL, 0);
    assert_int_equal(send(fd, said.data, said.length, MSG_NOSIGNAL), said.length);
    request_read(fd, s->script->how == EARLY);
    bytes_reset(&said);
    s->script->say(&said);
    (void)send(fd, said.data, said.length, MSG_NOSIGNAL);
    if (s->script->how == THEN_HANG_UP)
        shutdown(fd, SHUT_WR);
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        continue;
    close(fd);
    bytes_clear(&said);
    return NULL;
}

static int listener(char port[8])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(at);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    snprintf(port, 8, "%d", ntohs(at.sin_port));
    return fd;
}

static void server_start(struct server *s, const struct script *script, char port[8])
{
    *s = (struct server){.script = script, .listen_fd = listener(port)};
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_end(struct server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listen_fd);
}

// --- the tests ---
struct outcome {
    int count;
    struct grpc_result result;
    char text[200], message[8];
};

static void on_done(const struct grpc_result *result, void *ctx)
{
    struct outcome *out = ctx;
    out->count++;
    out->result = *result;
    snprintf(out->text, sizeof(out->text), "%s", result->text);
    snprintf(out->message, sizeof(out->message), "%.*s", (int)result->message.length,
             (const char *)result->message.data);
}

static void run_script(const struct script *script, struct outcome *out)
{
    struct server server;
    char port[8];
    server_start(&server, script, port);
    struct event_base *base = event_base_new();
    const struct grpc_channel_config config = {
        .host = "127.0.0.1", .port = port, .connect_timeout_ms = PATIENCE_MS};
    struct grpc_channel *channel;
    struct err err;
    assert_true(grpc_channel_create(&channel, base, &config, &err));
    static const uint8_t message[100000]; // more than an early server lets through
    const size_t length = script->how == EARLY ? sizeof(message) : 1;
    const struct grpc_call_spec spec = {.path = "/a/b",
                                        .message = {message, length},
                                        .timeout_ms = PATIENCE_MS,
                                        .on_done = on_done,
                                        .ctx = out};
    assert_true(grpc_channel_call(channel, &spec, &err));
    while (out->count == 0)
        event_base_loop(base, EVLOOP_ONCE);
    grpc_channel_destroy(channel);
    server_end(&server);
    event_base_free(base);
}

static void whatever_a_server_says_becomes_one_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        const struct script *row = &scripts[i];
        struct outcome out = {0};
        run_script(row, &out);
        EXPECT(out.count == 1, "%s: %d results", row->what, out.count);
        EXPECT(out.result.status == row->status, "%s: %s: %s", row->what,
               grpc_status_name((int)out.result.status), out.text);
        EXPECT(out.result.answered == row->answered, "%s: answered", row->what);
        EXPECT(out.result.not_processed == row->not_processed, "%s: not processed", row->what);
        EXPECT(strstr(out.text, row->text) != NULL, "%s: text \"%s\"", row->what, out.text);
        if (row->say == ok)
            assert_string_equal(out.message, "hi");
    }
}

#define CALLS      3000
#define PATH_BYTES 8000 // together more than a socket takes

struct tally {
    int ended_count, not_processed_count;
};

static void on_given_back(const struct grpc_result *result, void *ctx)
{
    struct tally *tally = ctx;
    tally->ended_count++;
    tally->not_processed_count += result->not_processed;
    EXPECT(result->status == GRPC_UNAVAILABLE, "%s: %s", grpc_status_name((int)result->status),
           result->text);
}

static void say(int fd, int type, const void *payload, size_t length)
{
    struct bytes said = {0};
    frame(&said, type, 0, 0, payload, length);
    assert_int_equal(send(fd, said.data, said.length, MSG_NOSIGNAL), said.length);
    bytes_clear(&said);
}

// Some calls were read by the kernel only, some wait in the client, some have no frame yet.
static void goaway_gives_back_all_calls_above_its_last_wherever_they_are(void **state)
{
    (void)state;
    char port[8], path[PATH_BYTES + 1];
    const int listen_fd = listener(port);
    struct event_base *base = event_base_new();
    const struct grpc_channel_config config = {
        .host = "127.0.0.1", .port = port, .connect_timeout_ms = PATIENCE_MS};
    struct grpc_channel *channel;
    struct err err;
    assert_true(grpc_channel_create(&channel, base, &config, &err));
    memset(path, '/', PATH_BYTES);
    path[PATH_BYTES] = '\0';
    struct tally tally = {0};
    const struct grpc_call_spec spec = {.path = path, .on_done = on_given_back, .ctx = &tally};
    for (int i = 0; i < CALLS; i++)
        assert_true(grpc_channel_call(channel, &spec, &err));
    const int fd = accept(listen_fd, NULL, NULL);
    say(fd, SETTINGS, NULL, 0);
    for (int i = 0; i < 100; i++) // until it can send no more
        event_base_loop(base, EVLOOP_NONBLOCK);
    say(fd, GOAWAY, "\0\0\0\1\0\0\0\0", 8);
    while (tally.ended_count < CALLS - 1) {
        uint8_t read[65536];
        (void)recv(fd, read, sizeof(read), MSG_DONTWAIT);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(tally.not_processed_count, CALLS - 1);
    close(fd);
    while (tally.ended_count < CALLS)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(tally.not_processed_count, CALLS - 1); // the first: nobody knows
    grpc_channel_destroy(channel);
    event_base_free(base);
    close(listen_fd);
}

static void nobody_there_is_unavailable(void **state)
{
    (void)state;
    struct server server; // a port that was free a moment ago
    char port[8];
    server_start(&server, &scripts[0], port);
    const struct grpc_call_spec spec = {.path = "/a/b", .message = {(const uint8_t *)"x", 1}};
    struct grpc_answer answer;
    grpc_call_blocking("127.0.0.1", port, &spec, &answer);
    assert_int_equal(answer.status, GRPC_OK);
    assert_string_equal((char *)answer.message.data, "hi");
    assert_string_equal((char *)answer.text.data, "");
    grpc_answer_clear(&answer);
    server_end(&server);
    grpc_call_blocking("127.0.0.1", port, &spec, &answer);
    assert_int_equal(answer.status, GRPC_UNAVAILABLE);
    assert_false(answer.answered);
    assert_non_null(strstr((char *)answer.text.data, "refused"));
    grpc_answer_clear(&answer);
    grpc_call_blocking("no.such.host.invalid", "1", &spec, &answer);
    assert_int_equal(answer.status, GRPC_UNAVAILABLE);
    grpc_answer_clear(&answer);
}

static void on_closed(struct grpc_channel *channel, const struct err *err, void *ctx)
{
    (void)channel;
    snprintf(ctx, ERR_TEXT_MAX, "%s", err->text);
}

// A listener that never accepts: the kernel completes the connection, HTTP/2 does not begin.
static void a_silent_server_times_out(void **state)
{
    (void)state;
    char port[8], closed[ERR_TEXT_MAX] = "";
    const int fd = listener(port);
    struct event_base *base = event_base_new();
    const struct grpc_channel_config config = {.host = "127.0.0.1",
                                               .port = port,
                                               .connect_timeout_ms = 100,
                                               .on_closed = on_closed,
                                               .ctx = closed};
    struct grpc_channel *channel;
    struct err err;
    struct outcome patient = {0};
    assert_true(grpc_channel_create(&channel, base, &config, &err));
    const struct grpc_call_spec spec = {.path = "/a/b", .on_done = on_done, .ctx = &patient};
    assert_true(grpc_channel_call(channel, &spec, &err));
    while (closed[0] == '\0')
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(patient.result.status, GRPC_UNAVAILABLE);
    assert_true(patient.result.not_processed);
    assert_false(grpc_channel_call(channel, &spec, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    grpc_channel_destroy(channel);
    event_base_free(base);
    close(fd);
}

static void a_deadline_before_the_connection_is_there_ends_that_call_alone(void **state)
{
    (void)state;
    char port[8];
    const int fd = listener(port); // as silent
    struct event_base *base = event_base_new();
    const struct grpc_channel_config config = {
        .host = "127.0.0.1", .port = port, .connect_timeout_ms = PATIENCE_MS};
    struct grpc_channel *channel;
    struct err err;
    struct outcome patient = {0}, hasty = {0};
    assert_true(grpc_channel_create(&channel, base, &config, &err));
    struct grpc_call_spec spec = {.path = "/a/b", .on_done = on_done, .ctx = &patient};
    assert_true(grpc_channel_call(channel, &spec, &err));
    spec.timeout_ms = 10;
    spec.ctx = &hasty;
    assert_true(grpc_channel_call(channel, &spec, &err));
    while (hasty.count == 0)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(hasty.result.status, GRPC_DEADLINE_EXCEEDED);
    assert_true(hasty.result.not_processed);
    assert_int_equal(patient.count, 0);
    grpc_channel_destroy(channel);
    event_base_free(base);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_server_says_becomes_one_result),
        cmocka_unit_test(goaway_gives_back_all_calls_above_its_last_wherever_they_are),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(a_deadline_before_the_connection_is_there_ends_that_call_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
