// SPDX-License-Identifier: Apache-2.0
#include "totals/dead_letters.h"

#include "base/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 10000 // longer than message.timeout.ms below: every letter has its verdict by then

struct dead_letters {
    // fixed after create
    struct kafka_config config;
    struct kafka_topic topic;
    // the consumer's own
    rd_kafka_t *rk; // owned; NULL until the first letter, and after trouble
    // this round
    rd_kafka_resp_err_t failed; // the last letter that failed: why
    bool any_cut;               // letters were too large: another round, with less of them
};

// What correctness rests on: a letter that is acknowledged is there.
static const struct kafka_property fixed[] = {
    {"enable.idempotence", "true"},
    {"max.in.flight.requests.per.connection", "1"}, // why: adder/publisher.c
};
static const struct kafka_property defaults[] = {
    {"message.timeout.ms", "5000"},     // then the consumer decides: it tries again later
    {"message.max.bytes", "104857600"}, // the broker decides what is too large …
    {"batch.num.messages", "1"},        // … of each letter by itself
    {"linger.ms", "0"},
    {"socket.nagle.disable", "true"},
};

// False: nothing is left to leave out, or the error is another one.
static bool cut_more(struct dead_letters *d, struct dead_letter *letter, rd_kafka_resp_err_t code)
{
    if (code != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || letter->cut == DEAD_LETTER_BARE)
        return false;
    letter->cut++;
    d->any_cut = true;
    return true;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
    (void)rk;
    struct dead_letters *d = ctx;
    struct dead_letter *letter = message->_private;
    letter->acknowledged = message->err == 0;
    if (message->err != 0 && !cut_more(d, letter, message->err))
        d->failed = message->err;
}

static bool conf_create(struct dead_letters *d, rd_kafka_conf_t **out, struct err *err)
{
    static const struct kafka_client client = {
        "abacus-totals-dead-letters", {fixed, COUNT_OF(fixed)}, {defaults, COUNT_OF(defaults)}};
    if (!kafka_conf_create(out, &d->config, &client, err))
        return false;
    rd_kafka_conf_set_dr_msg_cb(*out, on_delivery);
    rd_kafka_conf_set_opaque(*out, d);
    return true;
}

// Only librdkafka knows which properties go together (acks=1 does not), and says so only when it
// makes a client: better now than at the first dead letter.
static bool properties_check(struct dead_letters *d, struct err *err)
{
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    if (!conf_create(d, &conf, err))
        return false;
    rd_kafka_conf_set_log_cb(conf, NULL); // what is only odd is said when it matters
    if (!kafka_new(&rk, RD_KAFKA_PRODUCER, conf, err))
        return false;
    rd_kafka_destroy(rk);
    return true;
}

bool dead_letters_create(struct dead_letters **out, const struct kafka_config *config,
                         const struct kafka_topic *topic, struct err *err)
{
    struct dead_letters *d = xcalloc(1, sizeof(*d));
    d->config = *config;
    d->topic = *topic;
    if (!properties_check(d, err)) {
        free(d);
        return err_prefix(err, "dead letters");
    }
    *out = d;
    return true;
}

static void producer_drop(struct dead_letters *d)
{
    if (d->rk != NULL)
        rd_kafka_destroy(d->rk); // forgets what waits; no more calls to on_delivery
    d->rk = NULL;
}

void dead_letters_destroy(struct dead_letters *d)
{
    if (d == NULL)
        return;
    producer_drop(d);
    free(d);
}

// Most services never see a dead letter: the producer with its threads is made for the first. It
// asks for the topic before it produces: librdkafka by itself would do so only after a second.
static bool producer_ready(struct dead_letters *d, struct err *err)
{
    rd_kafka_conf_t *conf;
    int32_t ignored;
    return d->rk != NULL ||
           (conf_create(d, &conf, err) && kafka_new(&d->rk, RD_KAFKA_PRODUCER, conf, err) &&
            kafka_topic_ensure(d->rk, &d->topic, FLUSH_MS / 2, &ignored, err));
}

static void header_add(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    rd_kafka_header_add(headers, name, -1, value, -1);
}

static rd_kafka_headers_t *headers_of(const struct dead_letter *letter)
{
    rd_kafka_headers_t *own, *headers;
    const bool has_own =
        letter->cut != DEAD_LETTER_BARE && rd_kafka_message_headers(letter->message, &own) == 0;
    headers = has_own ? rd_kafka_headers_copy(own) : rd_kafka_headers_new(5);
    char number[24];
    header_add(headers, DEAD_LETTER_REASON, letter->reason);
    header_add(headers, DEAD_LETTER_TOPIC, rd_kafka_topic_name(letter->message->rkt));
    snprintf(number, sizeof(number), "%" PRId32, letter->message->partition);
    header_add(headers, DEAD_LETTER_PARTITION, number);
    snprintf(number, sizeof(number), "%" PRId64, letter->message->offset);
    header_add(headers, DEAD_LETTER_OFFSET, number);
    if (letter->cut != DEAD_LETTER_WHOLE)
        header_add(headers, DEAD_LETTER_CUT,
                   letter->cut == DEAD_LETTER_BARE ? "key, headers and value" : "value");
    return headers;
}

// The value is not copied: the message outlives the round, and a round ends with a flush or with
// the producer.
static bool letter_produce(struct dead_letters *d, struct dead_letter *letter, struct err *err)
{
    const rd_kafka_message_t *m = letter->message;
    const bool key = letter->cut != DEAD_LETTER_BARE, value = letter->cut == DEAD_LETTER_WHOLE;
    rd_kafka_headers_t *headers = headers_of(letter);
    const rd_kafka_resp_err_t code =
        rd_kafka_producev(d->rk, RD_KAFKA_V_TOPIC(d->topic.name),
                          RD_KAFKA_V_KEY(key ? m->key : NULL, key ? m->key_len : 0),
                          RD_KAFKA_V_VALUE(value ? m->payload : NULL, value ? m->len : 0),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(letter), RD_KAFKA_V_END);
    if (code == 0)
        return true;
    rd_kafka_headers_destroy(headers);
    if (cut_more(d, letter, code)) // for librdkafka's own limit already
        return true;
    kafka_err(err, code, NULL);
    return err_prefix(err, "hand over");
}

static bool round_run(struct dead_letters *d, struct dead_letter *letters, size_t n,
                      struct err *err)
{
    d->failed = 0;
    d->any_cut = false;
    for (size_t i = 0; i < n; i++) {
        if (letters[i].reason != NULL && !letters[i].acknowledged &&
            !letter_produce(d, &letters[i], err))
            return false;
    }
    if (rd_kafka_flush(d->rk, FLUSH_MS) != 0)
        return err_set(err, ERR_UNAVAILABLE, "no acknowledgement from Kafka");
    return d->failed == 0 || kafka_err(err, d->failed, NULL);
}

static bool any_to_send(const struct dead_letter *letters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (letters[i].reason != NULL && !letters[i].acknowledged)
            return true;
    }
    return false;
}

// Ends: each further round leaves out more of a letter.
static bool rounds_run(struct dead_letters *d, struct dead_letter *letters, size_t n,
                       struct err *err)
{
    do {
        if (!round_run(d, letters, n, err))
            return false;
    } while (d->any_cut);
    return true;
}

// After any failure the producer is dropped: what it still holds must not arrive behind our back
// while the next round sends it again, and a fatal error leaves it useless anyway.
bool dead_letters_send(struct dead_letters *d, struct dead_letter *letters, size_t n,
                       struct err *err)
{
    if (!any_to_send(letters, n))
        return true;
    if (producer_ready(d, err) && rounds_run(d, letters, n, err))
        return !fault_here(FAULT_dead_letter) || err_set(err, ERR_UNAVAILABLE, "injected fault");
    producer_drop(d);
    return err_prefix(err, "dead letters to topic %s", d->topic.name);
}
