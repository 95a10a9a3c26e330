// SPDX-License-Identifier: Apache-2.0
// event: what travels through Kafka: a CloudEvents 1.0 message in Kafka binary mode.
// Reading order: event.h, attributes.h, encode.c, decode.c. Uses base, telemetry (context).
// Pure but for librdkafka's header list; any thread.
//
//   key      source id (UUID)
//   headers  ce_specversion 1.0 · ce_id <source>/<sequence> · ce_source /abacus/adder/<source>
//            ce_type abacus.v1.Added · ce_time RFC 3339, when the add was accepted
//            ce_sequence 19 digits, zero-padded · content-type application/json
//            traceparent and ce_traceparent, equal (only when there is one)
//   value    ProtoJSON of abacus.v1.Added: {"a":"2","b":"3","sum":"5"}
#ifndef ABACUS_EVENT_EVENT_H
#define ABACUS_EVENT_EVENT_H

#include "base/base.h"
#include "base/err.h"
#include "base/int128.h"
#include "base/uuid.h"
#include "telemetry/context.h"

#include <librdkafka/rdkafka.h>

#define EVENT_TYPE          "abacus.v1.Added"
#define EVENT_SOURCE_PREFIX "/abacus/adder/"

struct event {
    struct uuid source;
    int64_t sequence; // 1, 2, 3 …
    int64_t a, b, sum;
    int64_t accepted_unix_us; // 0: the message does not say
    struct trace_context context;
};

#define EVENT_VALUE_BYTES 96
struct event_value {
    char text[EVENT_VALUE_BYTES];
    size_t length;
};

// "<source>/<sequence>", the event's name for ever (ce_id). Returns its length.
#define EVENT_ID_BYTES (UUID_LENGTH + 1 + INT64_TEXT_BYTES)
size_t event_id_format(char out[EVENT_ID_BYTES], const struct uuid *source, int64_t sequence);

// The value and the headers; the key is event->source.text. The header list is owned by the caller
// (librdkafka takes it with a successful produce).
void event_encode(const struct event *event, struct event_value *value,
                  rd_kafka_headers_t **headers);

struct event_message { // borrowed from a Kafka message
    const void *key, *value;
    size_t key_length, value_length;
    const rd_kafka_headers_t *headers; // NULL: none
};

// Reads and checks everything: required attributes, our type, that id, source, sequence and key
// agree, that sum is a + b. Unknown headers and JSON fields are ignored.
// ERR_INVALID: the message is a dead letter, err->text is the reason, and of *event only the
// context is set: whose trace it belongs to is known all the same.
MUST_USE bool event_decode(const struct event_message *message, struct event *event,
                           struct err *err);

#endif
