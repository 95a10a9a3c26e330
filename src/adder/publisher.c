// SPDX-License-Identifier: Apache-2.0
#include "adder/publisher.h"

#include "adder/flight.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CLIENT_ID "abacus-adder"

// So many events share one reading of the clock: some ten microseconds' work.
#define CLOCK_EVENTS 32

// For the reports of purged messages, which are in memory already.
#define PURGE_TIMEOUT_MS 1000

// What "no holes" rests on. Without a message timeout nothing is given up silently; five requests
// in flight are the most that the idempotent producer keeps in order.
static const struct kafka_property fixed[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"message.timeout.ms", "0"},
    // One, though idempotence allows five. A broker that knows nothing of a producer yet takes any
    // first sequence: if the first batch is turned away for a moment (the topic was just made) and
    // the second is taken, librdkafka reports both as acknowledged, and the first is nowhere.
    {"max.in.flight.requests.per.connection", "1"},
    {"delivery.report.only.error", "false"},
};

// A millisecond of lingering is what a lone event pays; under load it halves the cost of all, here
// and in the broker.
static const struct kafka_property defaults[] = {
    {"linger.ms", "1"},
    {"compression.codec", "lz4"},
    {"socket.nagle.disable", "true"},
    {"reconnect.backoff.max.ms", "1000"},
    {"allow.auto.create.topics", "false"}, // it would get the broker's number of partitions
};

struct publisher {
    // fixed after create
    rd_kafka_t *rk;          // owned
    rd_kafka_topic_t *topic; // owned
    rd_kafka_queue_t *queue; // owned: reports and errors
    int fd;                  // owned: librdkafka writes it when the queue gets its first report
    // its one thread
    int32_t partition; // -1: not known yet
    int64_t sent, acknowledged;
    struct flight flight;
    bool failed;
    rd_kafka_resp_err_t code; // when failed, as is
    struct err why;
    char trouble[ERR_TEXT_MAX]; // "": Kafka answers
    char cause[ERR_TEXT_MAX];   // the last error of a connection
};

// --- what librdkafka reports, on the thread that calls publisher_serve ---
static void count_error(rd_kafka_resp_err_t code)
{
    metric_add(METRIC_SERIES(METRIC_KAFKA_ERRORS, "producer", rd_kafka_err2name(code)), 1);
}

static void fail(struct publisher *p, rd_kafka_resp_err_t code, const char *what, const char *text)
{
    if (p->failed) // the first reason is the one that explains the others
        return;
    count_error(code);
    p->failed = true;
    p->code = code;
    kafka_err(&p->why, code, text);
    err_prefix(&p->why, "%s %s", what, rd_kafka_err2name(code));
}

static bool is_persisted(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
           rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_PERSISTED;
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct publisher *p = opaque;
    if (p->failed) // P3
        return;
    if (!is_persisted(message)) {
        fail(p, message->err, "delivery", NULL);
    } else if ((intptr_t)message->_private != p->acknowledged + 1) { // P2
        fail(p, RD_KAFKA_RESP_ERR__INCONSISTENT, "delivery", "acknowledged out of order");
    } else {
        p->acknowledged++;
        p->trouble[0] = '\0';
        flight_landed(&p->flight, p->acknowledged, message->offset);
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct publisher *p = opaque;
    char text[ERR_TEXT_MAX] = "";
    switch (code) {
    case RD_KAFKA_RESP_ERR__FATAL:
        code = rd_kafka_fatal_error(rk, text, sizeof(text));
        fail(p, code, "fatal", text);
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        count_error(code);
        snprintf(p->trouble, sizeof(p->trouble), "%s", p->cause[0] != '\0' ? p->cause : reason);
        break;
    default: // of one connection: librdkafka goes on by itself
        count_error(code);
        snprintf(p->cause, sizeof(p->cause), "%s", reason);
    }
}

// --- life ---
static bool conf_create(rd_kafka_conf_t **out, const struct kafka_config *config,
                        struct publisher *p, struct err *err)
{
    static const struct kafka_client client = {
        CLIENT_ID, {fixed, COUNT_OF(fixed)}, {defaults, COUNT_OF(defaults)}};
    if (!kafka_conf_create(out, config, &client, err))
        return false;
    rd_kafka_conf_set_opaque(*out, p);
    rd_kafka_conf_set_dr_msg_cb(*out, on_delivered);
    rd_kafka_conf_set_error_cb(*out, on_error);
    return true;
}

static bool topic_create(struct publisher *p, const char *topic, struct err *err)
{
    p->topic = rd_kafka_topic_new(p->rk, topic, NULL);
    return p->topic != NULL || kafka_err(err, rd_kafka_last_error(), NULL) ||
           err_prefix(err, "topic %s", topic);
}

static bool reports_attach(struct publisher *p, struct err *err)
{
    static const uint64_t one = 1;
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "Kafka client: %s", strerror(errno));
    p->queue = rd_kafka_queue_get_main(p->rk);
    rd_kafka_queue_io_event_enable(p->queue, p->fd, &one, sizeof(one));
    return true;
}

bool publisher_create(struct publisher **out, const struct kafka_config *config, const char *topic,
                      int64_t published, struct err *err)
{
    struct publisher *p = xcalloc(1, sizeof(*p));
    p->fd = -1;
    p->partition = -1;
    p->sent = p->acknowledged = published;
    flight_begin(&p->flight, &(struct send_place){topic, CLIENT_ID, -1}, published);
    rd_kafka_conf_t *conf;
    if (!conf_create(&conf, config, p, err) || !kafka_new(&p->rk, RD_KAFKA_PRODUCER, conf, err) ||
        !topic_create(p, topic, err) || !reports_attach(p, err)) {
        publisher_destroy(p);
        return false;
    }
    *out = p;
    return true;
}

static void queue_detach(struct publisher *p)
{
    if (p->queue == NULL)
        return;
    rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(p->queue);
    close(p->fd);
}

// Reports that are still to come find it failed (P3), so they move nothing.
void publisher_destroy(struct publisher *p)
{
    if (p == NULL)
        return;
    if (!p->failed)
        p->code = RD_KAFKA_RESP_ERR__PURGE_INFLIGHT; // what it calls them from here on
    p->failed = true;
    queue_detach(p);
    if (p->topic != NULL)
        rd_kafka_topic_destroy(p->topic);
    if (p->rk != NULL) {
        (void)rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(p->rk, PURGE_TIMEOUT_MS);
        rd_kafka_destroy(p->rk);
    }
    flight_end(&p->flight, p->sent, rd_kafka_err2name(p->code));
    free(p);
}

// --- topic ---
bool publisher_topic_ensure(struct publisher *p, const struct kafka_topic *topic, int timeout_ms,
                            int32_t *partitions, struct err *err)
{
    if (!kafka_topic_ensure(p->rk, topic, timeout_ms, partitions, err))
        return false;
    p->trouble[0] = '\0';
    return true;
}

int32_t publisher_partition_of(const struct uuid *source, int32_t partitions)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, source->text, UUID_LENGTH, partitions, NULL,
                                            NULL);
}

void publisher_partition_set(struct publisher *p, int32_t partition)
{
    p->partition = p->flight.place.partition = partition;
}

// --- send ---
size_t publisher_room(const struct publisher *p)
{
    return PUBLISHER_WINDOW - (size_t)(p->sent - p->acknowledged);
}

int64_t publisher_sent(const struct publisher *p)
{
    return p->sent;
}

static rd_kafka_error_t *produce(struct publisher *p, const struct event *event,
                                 const struct event_value *value, rd_kafka_headers_t *headers)
{
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = p->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = p->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {(void *)(uintptr_t)event->source.text, UUID_LENGTH}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value->text, value->length}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(intptr_t)event->sequence},
    };
    return rd_kafka_produceva(p->rk, parts, COUNT_OF(parts));
}

static bool send_one(struct publisher *p, const struct event *event, bool *full, struct err *err)
{
    CHECK_INT(event->sequence, ==, p->sent + 1); // P2
    CHECK_INT(p->partition, >=, 0);
    struct event_value value;
    rd_kafka_headers_t *headers;
    event_encode(event, &value, &headers);
    rd_kafka_error_t *error = produce(p, event, &value, headers);
    *full = error != NULL && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (error == NULL) { // the headers are librdkafka's now
        p->sent++;
        flight_handed(&p->flight, event);
        return true;
    }
    rd_kafka_headers_destroy(headers);
    if (!*full)
        fail(p, rd_kafka_error_code(error), "produce", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    if (!*full)
        *err = p->why;
    return *full;
}

bool publisher_send(struct publisher *p, const struct event *events, size_t n, bool *full,
                    struct err *err)
{
    *full = false;
    for (size_t i = 0; i < n && !*full; i++) {
        if (i % CLOCK_EVENTS == 0)
            flight_clock(&p->flight);
        if (!send_one(p, &events[i], full, err))
            return false;
    }
    return true;
}

// --- serve ---
int publisher_fd(const struct publisher *p)
{
    return p->fd;
}

bool publisher_serve(struct publisher *p, int64_t *acknowledged, struct err *err)
{
    eventfd_t ignored;
    (void)eventfd_read(p->fd, &ignored); // before the queue is emptied: what comes later is seen
    while (rd_kafka_poll(p->rk, 0) > 0)
        continue;
    if (p->acknowledged > p->flight.handed.taken)
        flight_count(&p->flight, p->acknowledged);
    *acknowledged = p->acknowledged;
    if (p->failed)
        *err = p->why;
    return !p->failed;
}

const char *publisher_trouble(const struct publisher *p)
{
    return p->trouble[0] != '\0' ? p->trouble : NULL;
}
