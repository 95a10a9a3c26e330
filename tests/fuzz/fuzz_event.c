// SPDX-License-Identifier: Apache-2.0
// A Kafka message: a dead letter with a reason, or an event that is encoded to the same event.
// Input: the key's line, lines "header=value", an empty line, the value.
#include "event/event.h"

#include "fuzz.h"

#define HEADERS_MAX 32

static rd_kafka_headers_t *read_headers(struct fuzz_input *input)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    for (int i = 0; i < HEADERS_MAX && input->at < input->end; i++) {
        const struct fuzz_text line = fuzz_line(input);
        if (line.length == 0)
            break;
        const char *equals = memchr(line.text, '=', line.length);
        const size_t name = equals != NULL ? (size_t)(equals - line.text) : line.length;
        const char *value = equals != NULL ? equals + 1 : NULL;
        rd_kafka_header_add(headers, line.text, (ssize_t)name, value,
                            equals != NULL ? (ssize_t)(line.length - name - 1) : 0);
    }
    return headers;
}

static void expect_round_trip(const struct event *event)
{
    struct event_value value;
    rd_kafka_headers_t *headers;
    event_encode(event, &value, &headers);
    CHECK_INT(value.length, <, EVENT_VALUE_BYTES);
    const struct event_message message = {event->source.text, value.text, UUID_LENGTH, value.length,
                                          headers};
    struct event again;
    struct err err;
    CHECK(event_decode(&message, &again, &err));
    CHECK_INT(again.sequence, ==, event->sequence);
    CHECK_INT(again.accepted_unix_us, ==, event->accepted_unix_us);
    CHECK(again.a == event->a && again.b == event->b && again.sum == event->sum);
    CHECK(strcmp(again.context.traceparent, event->context.traceparent) == 0);
    rd_kafka_headers_destroy(headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    const struct fuzz_text key = fuzz_line(&input);
    rd_kafka_headers_t *headers = read_headers(&input);
    const struct event_message message = {
        .key = key.text,
        .key_length = key.length,
        .value = input.at,
        .value_length = (size_t)(input.end - input.at),
        .headers = headers,
    };
    struct event event;
    struct err err = {.text = ""};
    if (event_decode(&message, &event, &err)) {
        CHECK(event.sequence >= 1);
        CHECK((__int128)event.a + event.b == event.sum);
        expect_round_trip(&event);
    } else {
        CHECK(err.code == ERR_INVALID && err.text[0] != '\0');
    }
    rd_kafka_headers_destroy(headers);
    return 0;
}
