// SPDX-License-Identifier: Apache-2.0
// The REST service over real sockets, on a ledger that the test commits to by itself: the consumer
// waits for a Kafka that is not there.
#include "totals/rest.h"

#include "ledger_rig.h"

#include "base/clock.h"
#include "telemetry/http_client.h"

#include <jansson.h>
#include <poll.h>

#define NO_KAFKA          "127.0.0.1:1"
#define EVENT_INTERVAL_MS 50 // of a stream at least, however fast the ledger changes
#define TEXT_BYTES        65536
#define STREAM_TEXT       2048

struct service {
    struct rig *file;
    struct readiness *readiness;
    struct stream_hub *streams;
    struct consumer *consumer;
    struct rest *rest; // NULL: ended by the test
};

static void on_change(void *streams)
{
    stream_hub_changed(streams);
}

static int set_up(void **state)
{
    static struct service s;
    static const char *const conditions[] = {"ledger"};
    struct err err = {.text = ""};
    (void)rig_set_up((void **)&s.file);
    s.readiness = readiness_create(conditions, COUNT_OF(conditions));
    s.streams = stream_hub_create(s.file->ledger);
    ledger_on_change(s.file->ledger, on_change, s.streams);
    const struct consumer_config consumer = {.kafka = {NO_KAFKA, NULL},
                                             .topic = {"sums", 1, 1},
                                             .dead_letter_topic = {"dead", 1, 1},
                                             .group = "unit",
                                             .readiness = s.readiness};
    EXPECT(consumer_create(&s.consumer, &consumer, s.file->ledger, &err), "%s", err.text);
    const struct rest_config rest = {
        .address = "127.0.0.1", .port = 0, .threads = 2, .streams = s.streams};
    EXPECT(rest_create(&s.rest, &rest, s.file->ledger, s.consumer, &err), "%s", err.text);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    struct service *s = *state;
    consumer_stop(s->consumer);
    rest_destroy(s->rest);
    consumer_destroy(s->consumer);
    stream_hub_destroy(s->streams);
    readiness_destroy(s->readiness);
    return rig_tear_down((void **)&s->file);
}

// --- asking ---
struct reply {
    char head[TEXT_BYTES], body[TEXT_BYTES];
};

static void ask(struct service *s, const char *target, const char *header, struct reply *reply)
{
    struct client *c = client_open(rest_port(s->rest));
    char *request = xasprintf("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, header);
    client_say(c, request);
    free(request);
    client_take_until(c, "\r\n\r\n", reply->head, sizeof(reply->head));
    const char *length = strstr(reply->head, "\r\nContent-Length: ");
    assert_non_null(length);
    const size_t bytes = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    assert_true(bytes < sizeof(reply->body));
    client_take(c, reply->body, starts_with(reply->head, "HTTP/1.1 304") ? 0 : bytes);
    client_close(c);
}

static void expect_status(const struct reply *reply, const char *status)
{
    EXPECT(strncmp(reply->head + strlen("HTTP/1.1 "), status, strlen(status)) == 0,
           "want status %s: %s%s", status, reply->head, reply->body);
}

static void expect_header(const struct reply *reply, const char *line)
{
    EXPECT(strstr(reply->head, line) != NULL, "want %s: %s", line, reply->head);
}

static void commit_three(struct service *s)
{
    struct ledger_entry batch[] = {rig_event(0, 10, 1, 1, 5), rig_event(0, 11, 1, 4, -7),
                                   rig_dead_letter(0, 12)};
    rig_commit(s->file, batch, COUNT_OF(batch));
}

static void the_total_is_what_is_committed(void **state)
{
    struct service *s = *state;
    static struct reply reply;
    commit_three(s);
    ask(s, "/v1/total", "", &reply);
    expect_status(&reply, "200");
    expect_header(&reply, "Content-Type: application/json\r\n");
    expect_header(&reply, "Cache-Control: no-cache\r\n");
    assert_string_equal(reply.body, "{\"total\":\"-2\",\"count\":\"2\",\"version\":\"1\","
                                    "\"missing\":\"2\",\"duplicates\":\"0\","
                                    "\"dead_letters\":\"1\"}");
}

static void a_client_that_has_the_total_gets_no_body(void **state)
{
    struct service *s = *state;
    static struct reply first, again, changed;
    ask(s, "/v1/total", "", &first);
    char *tag = strstr(first.head, "ETag: ");
    assert_non_null(tag);
    char *condition =
        xasprintf("If-None-Match: \"x\", %.*s\r\n", (int)strcspn(tag + 6, "\r"), tag + 6);
    ask(s, "/v1/total", condition, &again);
    expect_status(&again, "304");
    expect_header(&again, "Cache-Control: no-cache\r\n");
    *strchr(tag, '\n') = '\0';
    expect_header(&again, tag);
    commit_three(s);
    ask(s, "/v1/total", condition, &changed);
    expect_status(&changed, "200");
    free(condition);
}

static void sources_are_shown_together_and_alone(void **state)
{
    struct service *s = *state;
    static struct reply all, one;
    commit_three(s);
    ask(s, "/v1/sources", "", &all);
    ask(s, "/v1/sources/00000001-0000-4000-8000-000000000000", "", &one);
    expect_status(&one, "200");
    char *both = xasprintf("{\"sources\":[%s]}", one.body);
    assert_string_equal(all.body, both);
    free(both);
    json_t *source = json_loads(one.body, 0, NULL);
    assert_non_null(source);
    assert_string_equal(json_string_value(json_object_get(source, "missing_events")), "2");
    json_decref(source);
}

static void partitions_that_were_read_are_shown(void **state)
{
    struct service *s = *state;
    static struct reply reply;
    ask(s, "/v1/partitions", "", &reply);
    assert_string_equal(reply.body, "{\"partitions\":[]}");
    commit_three(s);
    ask(s, "/v1/partitions", "", &reply);
    assert_string_equal(reply.body, "{\"partitions\":[{\"partition\":0,\"assigned\":false,"
                                    "\"next_offset\":\"13\",\"end_offset\":null,\"lag\":null,"
                                    "\"end_age_ms\":null,\"dead_letters\":\"1\"}]}");
}

static void mistakes_are_problems(void **state)
{
    struct service *s = *state;
    static const struct {
        const char *target, *status;
    } rows[] = {
        {"/v1/sources/1", "400"},
        {"/v1/sources/01234567-89ab-4cde-8f01-23456789abcd", "404"},
        {"/v1/nothing", "404"},
        {"/", "404"},
    };
    static struct reply reply;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(s, rows[i].target, "", &reply);
        expect_status(&reply, rows[i].status);
        expect_header(&reply, "Content-Type: application/problem+json\r\n");
    }
}

static void the_description_is_json_and_names_every_route(void **state)
{
    struct service *s = *state;
    static const char *const paths[] = {"/v1/total",      "/v1/total/stream",
                                        "/v1/sources",    "/v1/sources/{source}",
                                        "/v1/partitions", "/openapi.json"};
    static struct reply reply;
    ask(s, "/openapi.json", "", &reply);
    json_t *document = json_loads(reply.body, 0, NULL);
    const json_t *described = json_object_get(document, "paths");
    assert_int_equal(json_object_size(described), COUNT_OF(paths));
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        EXPECT(json_object_get(described, paths[i]) != NULL, "%s is not described", paths[i]);
    json_decref(document);
}

// --- the stream ---
static struct client *stream_open(struct service *s, const char *header)
{
    struct client *c = client_open(rest_port(s->rest));
    char *request = xasprintf("GET /v1/total/stream HTTP/1.1\r\nHost: x\r\n%s\r\n", header);
    char head[STREAM_TEXT];
    client_say(c, request);
    free(request);
    client_take_until(c, "\r\n\r\n", head, sizeof(head));
    assert_true(starts_with(head, "HTTP/1.1 200"));
    assert_non_null(strstr(head, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(head, "Cache-Control: no-store\r\n"));
    return c;
}

static void expect_chunk(struct client *c, const char *text)
{
    char chunk[STREAM_TEXT];
    client_chunk(c, chunk, sizeof(chunk));
    EXPECT(strstr(chunk, text) != NULL, "want %s: %s", text, chunk);
}

static void a_stream_begins_with_the_newest_and_tells_changes(void **state)
{
    struct service *s = *state;
    struct client *c = stream_open(s, "");
    expect_chunk(c, "retry: 2000\n\nid: ");
    commit_three(s);
    expect_chunk(c, "event: total\ndata: {\"total\":\"-2\",\"count\":\"2\",\"version\":\"1\"");
    client_close(c);
}

static void who_has_the_newest_waits_for_the_next(void **state)
{
    struct service *s = *state;
    struct ledger_total total = rig_total(s->file);
    char *header = xasprintf("Last-Event-ID: %.8s-0\r\n", total.ledger.text);
    struct client *c = stream_open(s, header);
    free(header);
    char chunk[STREAM_TEXT];
    client_chunk(c, chunk, sizeof(chunk));
    assert_string_equal(chunk, "retry: 2000\n\n");
    commit_three(s);
    expect_chunk(c, "\"version\":\"1\"");
    client_close(c);
}

// Many commits at once make few events, and the last is the newest state.
static void changes_coalesce(void **state)
{
    struct service *s = *state;
    struct client *c = stream_open(s, "");
    expect_chunk(c, "\"version\":\"0\"");
    const int64_t begun_mono_ns = clock_mono_ns();
    for (int64_t i = 1; i <= 200; i++)
        rig_commit_one(s->file, rig_event(0, i, 1, i, 1));
    char chunk[STREAM_TEXT];
    int events = 0;
    do {
        client_chunk(c, chunk, sizeof(chunk));
        events++;
    } while (strstr(chunk, "\"count\":\"200\"") == NULL);
    const int64_t took_ms = (clock_mono_ns() - begun_mono_ns) / NS_PER_MS;
    EXPECT(events <= took_ms / EVENT_INTERVAL_MS + 2, "%d events of 200 commits within %d ms",
           events, (int)took_ms);
    client_close(c);
}

static void streams_end_with_the_service(void **state)
{
    struct service *s = *state;
    struct client *streams[20];
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        streams[i] = stream_open(s, "");
        expect_chunk(streams[i], "\"version\":\"0\"");
    }
    commit_three(s);
    for (size_t i = 0; i < COUNT_OF(streams); i++)
        expect_chunk(streams[i], "\"version\":\"1\"");
    rest_destroy(s->rest);
    s->rest = NULL;
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        char line[STREAM_TEXT];
        client_take_until(streams[i], "\r\n", line, sizeof(line));
        assert_string_equal(line, "0\r\n"); // the end, told properly
        client_close(streams[i]);
    }
}

static void streams_past_the_bound_are_told_to_come_back_later(void **state)
{
    struct service *s = *state;
    static struct client *streams[STREAMS_MAX];
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        streams[i] = stream_open(s, "");
        expect_chunk(streams[i], "retry: 2000");
    }
    static struct reply reply;
    ask(s, "/v1/total/stream", "", &reply);
    expect_status(&reply, "200");
    assert_string_equal(reply.body, "retry: 30000\n\n");
    for (size_t i = 0; i < STREAMS_MAX; i++)
        client_close(streams[i]);
    do { // their places become free
        (void)poll(NULL, 0, 1);
        struct client *c = stream_open(s, "");
        char text[STREAM_TEXT];
        client_take_until(c, "\n\n", text, sizeof(text));
        client_close(c);
        if (strstr(text, "30000") == NULL)
            break;
    } while (true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_total_is_what_is_committed),
        TEST(a_client_that_has_the_total_gets_no_body),
        TEST(sources_are_shown_together_and_alone),
        TEST(partitions_that_were_read_are_shown),
        TEST(mistakes_are_problems),
        TEST(the_description_is_json_and_names_every_route),
        TEST(a_stream_begins_with_the_newest_and_tells_changes),
        TEST(who_has_the_newest_waits_for_the_next),
        TEST(changes_coalesce),
        TEST(streams_end_with_the_service),
        TEST(streams_past_the_bound_are_told_to_come_back_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
