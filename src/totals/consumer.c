// SPDX-License-Identifier: Apache-2.0
// A turn of the thread: wait for one event, take what else is there without waiting, and settle
// that batch: apply, dead letters, commit. Under load batches grow and the cost of an event falls.
//
// Dies the process before the commit, the batch is read again; after it, the ledger's offset is
// past it. A dead letter is acknowledged before the commit: it may be there twice, never not at
// all. A rebalance comes only while polling: what is in hand then is dropped, uncommitted, and read
// again by whoever has the partition.
#include "totals/consumer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "totals/batch.h"
#include "totals/batch_metrics.h"
#include "totals/batch_spans.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS        1000 // an idle turn, for what is done by the clock
#define LEARN_MS       50   // the same while there is a partition that Kafka does not tell of
#define STALL_MS       1    // without an event although there are some: fetching sleeps
#define TOPICS_MS      1000 // for the brokers to answer whether a topic is there
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   5000
#define CLOSE_NS       (3 * NS_PER_S) // to leave the group; it expires by itself otherwise
#define DESTROY_S      3

struct consumer {
    // fixed after create
    struct consumer_config config;
    struct ledger *ledger; // borrowed
    struct positions *positions;
    struct dead_letters *dead_letters;
    struct batch_metrics batch_metrics;
    struct batch_spans batch_spans;
    struct metric_series consumed;
    struct mailbox *stop; // woken once
    pthread_t thread;
    // the thread's own
    rd_kafka_t *rk; // owned; NULL: between two clients
    bool fatal;     // rk is of no use any more
    bool doubt;     // the topic was gone, and may be another one now
    struct batch batch;
    rd_kafka_message_t *held;       // owned; the first of the next batch, or NULL
    char trouble[ERR_TEXT_MAX];     // what was last logged of the ledger; "": all is well
    rd_kafka_resp_err_t poll_error; // what was last logged of Kafka; 0: all is well
    // shared
    _Atomic bool stopping;
    pthread_mutex_t mu;      // held for a yield, so that the queue stays meanwhile
    rd_kafka_queue_t *queue; // owned, of rk
};

static bool stopping(struct consumer *c)
{
    return atomic_load_explicit(&c->stopping, memory_order_acquire);
}

// Waits, longer each time. False: the service stops.
static bool back_off(struct consumer *c, int *ms)
{
    mailbox_wait(c->stop, *ms);
    *ms = *ms * 2 < PAUSE_MAX_MS ? *ms * 2 : PAUSE_MAX_MS;
    return !stopping(c);
}

// --- trouble is logged and shown once, when it begins, changes or ends ---
static void trouble_set(struct consumer *c, const char *text)
{
    if (strcmp(c->trouble, text) == 0)
        return;
    if (text[0] != '\0')
        log_error("consumer", "%s; trying again", text);
    else
        log_info("consumer", "commits again");
    snprintf(c->trouble, sizeof(c->trouble), "%s", text);
    readiness_set(c->config.readiness, c->config.readiness_index, text[0] == '\0', text);
}

// Kafka away is no reason to stop answering reads, so it does not touch readiness. A fatal error
// does, until there is a new client.
static void poll_error_set(struct consumer *c, rd_kafka_resp_err_t code, const char *text)
{
    if (code != 0)
        metric_add(METRIC_SERIES(METRIC_KAFKA_ERRORS, "consumer", rd_kafka_err2name(code)), 1);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        code = RD_KAFKA_RESP_ERR__TRANSPORT; // each retry says both
    const bool gone = code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                      code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    // Said over and over while it is gone; it is doubted again only once it was found meanwhile.
    c->doubt |= gone && (code != c->poll_error || positions_known(c->positions));
    if (code == c->poll_error || stopping(c))
        return;
    if (code != 0)
        log_warn("consumer", "Kafka: %s", text);
    else
        log_info("consumer", "Kafka delivers again");
    c->fatal |= code == RD_KAFKA_RESP_ERR__FATAL;
    if (c->fatal)
        readiness_set(c->config.readiness, c->config.readiness_index, false, text);
    c->poll_error = code;
}

// --- what is in hand ---
static void drop_in_hand(struct consumer *c)
{
    batch_clear(&c->batch);
    if (c->held != NULL)
        rd_kafka_message_destroy(c->held);
    c->held = NULL;
}

// The next message that is one, or NULL. Rebalances happen in here.
static rd_kafka_message_t *next(struct consumer *c, int timeout_ms)
{
    rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, timeout_ms);
    if (m == NULL)
        return NULL;
    poll_error_set(c, m->err, m->err != 0 ? rd_kafka_message_errstr(m) : "");
    if (m->err == 0) {
        metric_add(c->consumed, 1);
        return m;
    }
    rd_kafka_message_destroy(m);
    return NULL;
}

static rd_kafka_message_t *first(struct consumer *c)
{
    rd_kafka_message_t *m = c->held;
    c->held = NULL;
    if (m == NULL && positions_behind(c->positions)) {
        m = next(c, STALL_MS);
        if (m == NULL && positions_behind(c->positions))
            positions_nudge(c->positions);
    }
    return m != NULL ? m : next(c, positions_unknown(c->positions) ? LEARN_MS : POLL_MS);
}

static void batch_collect(struct consumer *c)
{
    rd_kafka_message_t *m = first(c);
    while (m != NULL && batch_take(&c->batch, m))
        m = c->batch.count < BATCH_MAX ? next(c, 0) : NULL;
    c->held = m;
}

// --- settling it ---
// The ledger is not where we thought: what is in hand may be counted already, so go where it says.
static void reread(struct consumer *c, const struct err *cause)
{
    log_warn("consumer", "%s; going on from where the ledger is", cause->text);
    drop_in_hand(c);
    struct err err;
    for (int ms = PAUSE_FIRST_MS; !positions_reread(c->positions, &err);) {
        trouble_set(c, err.text);
        if (!back_off(c, &ms))
            return;
    }
    trouble_set(c, "");
}

// A partition that Kafka did not tell of may be there now. One of a topic that was gone may be
// another one, which begins at 0 and may pass the place where we wait without our notice.
static void learn(struct consumer *c)
{
    bool again;
    struct err err;
    if (c->doubt) {
        c->doubt = false;
        err_set(&err, ERR_UNAVAILABLE, "topic %s was gone", c->config.topic.name);
        reread(c, &err);
    }
    const bool ok = positions_learn(c->positions, &again, &err);
    if (again)
        drop_in_hand(c);
    if (!ok)
        reread(c, &err);
}

// Tries until the batch is committed, or another owner or the end of the service takes it away.
static void batch_settle(struct consumer *c)
{
    struct err err;
    for (int ms = PAUSE_FIRST_MS; !batch_commit(&c->batch, &err);) {
        if (err.code == ERR_CONFLICT || err.code == ERR_UNKNOWN) {
            reread(c, &err);
            return;
        }
        trouble_set(c, err.text);
        if (!back_off(c, &ms))
            return;
    }
    trouble_set(c, "");
}

// --- the group ---
static void assigned(struct consumer *c, rd_kafka_topic_partition_list_t *partitions)
{
    struct err err;
    for (int ms = PAUSE_FIRST_MS; !positions_assign(c->positions, partitions, &err);) {
        trouble_set(c, err.text);
        if (!back_off(c, &ms)) {
            positions_revoke(c->positions);
            return;
        }
    }
    trouble_set(c, "");
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *ctx)
{
    struct consumer *c = ctx;
    const bool got = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    (void)rk;
    drop_in_hand(c);
    log_info("consumer", "rebalance: %s %d partitions", got ? "got" : "gave back", partitions->cnt);
    metric_add(METRIC_SERIES(METRIC_CONSUMER_REBALANCES, got ? "assigned" : "revoked"), 1);
    if (got)
        assigned(c, partitions);
    else
        positions_revoke(c->positions);
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *ctx)
{
    (void)rk;
    poll_error_set(ctx, code, text);
}

// Subscribing to a topic that is not there would only repeat an error.
static bool topics_ensure(struct consumer *c, struct err *err)
{
    int32_t ignored;
    return kafka_topic_ensure(c->rk, &c->config.topic, TOPICS_MS, &ignored, err) &&
           kafka_topic_ensure(c->rk, &c->config.dead_letter_topic, TOPICS_MS, &ignored, err);
}

static void subscribe(struct consumer *c)
{
    struct err err = {.text = ""};
    char logged[ERR_TEXT_MAX] = "";
    for (int ms = PAUSE_FIRST_MS; !topics_ensure(c, &err);) {
        if (strcmp(logged, err.text) != 0 && !stopping(c))
            log_warn("consumer", "%s; trying again", err.text);
        memcpy(logged, err.text, sizeof(logged));
        if (!back_off(c, &ms))
            return;
    }
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, c->config.topic.name, RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t code = rd_kafka_subscribe(c->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code != 0) // only a name that Kafka allows but librdkafka takes for a broken pattern
        log_error("consumer", "subscribe to %s: %s", c->config.topic.name, rd_kafka_err2str(code));
}

// Leaving may wait for a broker that is away, so it is given a limit; the group then notices by
// itself. What still arrives is not ours any more.
static void leave(struct consumer *c)
{
    rd_kafka_queue_t *rest = rd_kafka_queue_new(c->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(c->rk, rest);
    const int64_t limit_mono_ns = clock_mono_ns() + CLOSE_NS;
    while (error == NULL && !rd_kafka_consumer_closed(c->rk) && clock_mono_ns() < limit_mono_ns) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(rest, 100);
        if (m != NULL)
            rd_kafka_message_destroy(m);
    }
    if (error != NULL)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(rest);
}

// --- the client ---
// What correctness rests on: offsets are ours, and a lost place means from the earliest on.
// Cooperative assignment hangs and forgets in librdkafka 2.0.2.
static const struct kafka_property fixed[] = {
    {"enable.auto.commit", "false"},   {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "earliest"}, {"partition.assignment.strategy", "range"},
    {"enable.partition.eof", "false"},
};

// Events as soon as they are there, and little memory for those that wait.
static const struct kafka_property defaults[] = {
    {"fetch.min.bytes", "1"},
    {"fetch.wait.max.ms", "100"},
    {"queued.min.messages", "3000"},
    {"max.partition.fetch.bytes", "65536"},
    {"session.timeout.ms", "6000"}, // a restart after a crash waits for the dead member's end
    {"heartbeat.interval.ms", "2000"},
    {"max.poll.interval.ms", "300000"},
    {"socket.nagle.disable", "true"},
    {"reconnect.backoff.max.ms", "1000"},
    // To notice a topic that comes or goes: by default after up to five minutes.
    {"topic.metadata.refresh.interval.ms", "5000"},
};

// Since 2.2 the pause of a full queue is an option, where positions_nudge could not shorten it.
static void queue_pause_shorten(rd_kafka_conf_t *conf)
{
    char text[ERR_TEXT_MAX];
    (void)rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "2", text, sizeof(text));
}

// A ledger has one process at a time, so its id is that of a static member (KIP-345): after a crash
// the group knows it again at once, without waiting for the end of the dead one's session.
static bool client_create(struct consumer *c, struct err *err)
{
    struct ledger_total total;
    ledger_total(c->ledger, &total);
    struct kafka_property own[COUNT_OF(fixed) + 2];
    memcpy(own, fixed, sizeof(fixed));
    own[COUNT_OF(fixed)] = (struct kafka_property){"group.id", c->config.group};
    own[COUNT_OF(fixed) + 1] = (struct kafka_property){"group.instance.id", total.ledger.text};
    const struct kafka_client client = {"abacus-totals", KAFKA_PROPERTIES(own),
                                        KAFKA_PROPERTIES(defaults)};
    rd_kafka_conf_t *conf;
    if (!kafka_conf_create(&conf, &c->config.kafka, &client, err))
        return false;
    queue_pause_shorten(conf);
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (!kafka_new(&c->rk, RD_KAFKA_CONSUMER, conf, err))
        return false;
    rd_kafka_poll_set_consumer(c->rk);
    pthread_mutex_lock(&c->mu);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    pthread_mutex_unlock(&c->mu);
    return true;
}

static void *destroy_run(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

// From 2.0 until 2.5, librdkafka leaves a mark in the queue of a partition that is taken away. The
// mark holds the partition, which holds the queue: when its topic is gone too, nothing ends that,
// and rd_kafka_destroy waits forever (its issue 4362). Then the client is left behind: nobody polls
// it, so it calls nothing of ours any more, and its group forgets it at the latest by its timeout.
static void destroy_within_limit(rd_kafka_t *rk)
{
    pthread_t thread;
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += DESTROY_S;
    CHECK_INT(pthread_create(&thread, NULL, destroy_run, rk), ==, 0);
    if (pthread_timedjoin_np(thread, NULL, &limit) == 0)
        return;
    log_warn("consumer", "the Kafka client does not end; going on without");
    CHECK_INT(pthread_detach(thread), ==, 0);
}

static void client_destroy(struct consumer *c)
{
    if (c->rk == NULL)
        return;
    pthread_mutex_lock(&c->mu);
    rd_kafka_queue_destroy(c->queue);
    c->queue = NULL;
    pthread_mutex_unlock(&c->mu);
    destroy_within_limit(c->rk);
    c->rk = NULL;
}

// A fatal error ends a client, but not its place, which is in the ledger. Mostly it fenced itself:
// when Kafka is away for longer than the session, librdkafka forgets its member id, and an offset
// that it then reports looks like another's. Two on copies of one ledger take turns, and say so.
static void client_renew(struct consumer *c)
{
    drop_in_hand(c);
    leave(c);
    positions_client_set(c->positions, NULL);
    client_destroy(c);
    struct err err;
    for (int ms = PAUSE_FIRST_MS; c->rk == NULL && back_off(c, &ms);)
        trouble_set(c, client_create(c, &err) ? "" : err.text);
    if (c->rk == NULL)
        return; // the service stops
    positions_client_set(c->positions, c->rk);
    c->fatal = false;
    readiness_set(c->config.readiness, c->config.readiness_index, true, "");
    subscribe(c);
}

static void *consumer_run(void *arg)
{
    struct consumer *c = arg;
    subscribe(c);
    while (!stopping(c)) {
        batch_collect(c);
        if (c->batch.count > 0)
            batch_settle(c);
        batch_clear(&c->batch);
        positions_report(c->positions, false);
        if (stopping(c))
            break; // what follows may wait for Kafka
        positions_ask_ends(c->positions);
        learn(c);
        if (c->fatal)
            client_renew(c);
    }
    drop_in_hand(c);
    if (c->rk != NULL)
        leave(c);
    return NULL;
}

// --- life ---
static void batch_prepare(struct consumer *c)
{
    const char *topic = c->config.topic.name, *group = c->config.group;
    c->consumed = METRIC_SERIES(METRIC_CONSUMED_MESSAGES, topic, group);
    c->batch_metrics = batch_metrics_create(topic, group);
    c->batch_spans = batch_spans_create(c->config.trace_shape, topic, group);
    c->batch.ledger = c->ledger;
    c->batch.positions = c->positions;
    c->batch.dead_letters = c->dead_letters;
    c->batch.metrics = &c->batch_metrics;
    c->batch.spans = &c->batch_spans;
}

bool consumer_create(struct consumer **out, const struct consumer_config *config,
                     struct ledger *ledger, struct err *err)
{
    // Each dead letter would come back as one more.
    if (strcmp(config->topic.name, config->dead_letter_topic.name) == 0)
        return err_set(err, ERR_USAGE, "dead letters need another topic than %s",
                       config->topic.name);
    struct consumer *c = xcalloc(1, sizeof(*c));
    c->config = *config;
    c->ledger = ledger;
    c->stop = mailbox_create(1);
    pthread_mutex_init(&c->mu, NULL);
    if (!dead_letters_create(&c->dead_letters, &config->kafka, &config->dead_letter_topic, err) ||
        !client_create(c, err)) {
        consumer_destroy(c);
        return false;
    }
    c->positions = positions_create(c->rk, c->config.topic.name, ledger);
    batch_prepare(c);
    CHECK_INT(pthread_create(&c->thread, NULL, consumer_run, c), ==, 0);
    pthread_setname_np(c->thread, "consumer");
    *out = c;
    return true;
}

size_t consumer_partitions(struct consumer *c, struct consumer_partition **list)
{
    return positions_list(c->positions, list);
}

void consumer_stop(struct consumer *c)
{
    atomic_store_explicit(&c->stopping, true, memory_order_release);
    mailbox_wake(c->stop);
    pthread_mutex_lock(&c->mu);
    if (c->queue != NULL)
        rd_kafka_queue_yield(c->queue); // a poll that waits returns
    pthread_mutex_unlock(&c->mu);
    CHECK_INT(pthread_join(c->thread, NULL), ==, 0);
}

void consumer_destroy(struct consumer *c)
{
    if (c == NULL)
        return;
    client_destroy(c);
    batch_spans_clear(&c->batch_spans);
    dead_letters_destroy(c->dead_letters);
    positions_destroy(c->positions);
    mailbox_destroy(c->stop);
    pthread_mutex_destroy(&c->mu);
    free(c);
}
