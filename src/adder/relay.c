// SPDX-License-Identifier: Apache-2.0
// The thread's life is one loop around three things that may be missing:
//
//   publisher ──▶ topic and partition ──▶ rows read, sent, acknowledged, `published` moved
//       ▲                │ not yet: look again             │
//       └────────────────┴──── anything went wrong ────────┘
//
// Whatever goes wrong ends the publisher, and the next one starts at what the outbox says is
// published. So there is one way to recover, and it is taken often enough to be trusted.
#include "adder/relay.h"

#include "adder/publisher.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "telemetry/metrics.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX      512  // rows at a time: between two reads the reports are taken in
#define TICK_MS       1000 // rows that nobody announced are found, e.g. of an unknown commit
#define TOPIC_WAIT_MS 1000 // how long a stop or a replay may have to wait for an absent Kafka
#define SILENCE_MS    5000 // with rows on their way: after that Kafka counts as away
#define RETRY_MIN_MS  100
#define RETRY_MAX_MS  2000

struct replay { // on the stack of the caller, who waits
    int64_t from;
    bool done, ok;
    struct err err;
};

struct relay {
    // fixed after create
    struct relay_config config;
    struct outbox *outbox; // borrowed
    pthread_t thread;
    struct mailbox *mailbox; // owned; only wakes
    struct event *events;    // owned; READ_MAX, the thread's
    struct uuid source;
    struct metric_series batch;

    // the thread only
    struct outbox_reader *reader; // owned; these two live and end together
    struct publisher *publisher;  // owned; NULL: none
    bool topic_ready;
    bool rows;               // there may be rows that were not read yet
    bool full;               // librdkafka takes no more until it reports
    int64_t published;       // what the outbox knows
    int64_t heard_mono_ns;   // the last acknowledgement, or when none was due
    int failures;            // since the last acknowledgement
    int64_t retry_mono_ns;   // nothing is tried before
    char said[ERR_TEXT_MAX]; // the trouble that is in the log already

    // shared, under mu
    pthread_mutex_t mu;
    pthread_cond_t changed;
    struct relay_status status;
    struct replay *replay; // NULL: none asked for
    bool stopping, ended;
    int64_t stop_mono_ns;

    _Atomic int64_t in_flight; // shared: stored by the thread, for relay_status

    bool joined; // main only
};

// --- trouble ---
#define SAY(r, level, ...)                                                     \
    log_fields((level), "relay",                                               \
               (const struct log_field[]){{"source", (r)->source.text, 0},     \
                                          {"sequence", NULL, (r)->published}}, \
               2, __VA_ARGS__)

static void status_set(struct relay *r, const char *trouble)
{
    pthread_mutex_lock(&r->mu);
    r->status.connected = trouble == NULL;
    snprintf(r->status.trouble, sizeof(r->status.trouble), "%s", trouble != NULL ? trouble : "");
    pthread_mutex_unlock(&r->mu);
}

// The same again is said once.
static void trouble_say(struct relay *r, enum err_code code, const char *text)
{
    status_set(r, text);
    if (strcmp(r->said, text) == 0)
        return;
    snprintf(r->said, sizeof(r->said), "%s", text);
    SAY(r, err_retriable(code) ? LOG_WARN : LOG_ERROR, "not publishing: %s", text);
}

static void trouble_over(struct relay *r)
{
    if (!r->status.connected) // only this thread writes it
        SAY(r, LOG_INFO, "publishing to %s, after sequence %" PRId64, r->config.topic.name,
            r->published);
    r->said[0] = '\0';
    status_set(r, NULL);
}

// The first failure is tried again at once: most are librdkafka's own and heal by a new producer.
static void retry_later(struct relay *r)
{
    int64_t wait_ms = 0;
    if (r->failures > 0)
        wait_ms = (int64_t)RETRY_MIN_MS << (r->failures < 6 ? r->failures - 1 : 5);
    r->failures++;
    r->retry_mono_ns =
        clock_mono_ns() + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS) * NS_PER_MS;
}

static void in_flight_note(struct relay *r)
{
    const int64_t sent = r->publisher != NULL ? publisher_sent(r->publisher) : r->published;
    atomic_store_explicit(&r->in_flight, sent - r->published, memory_order_relaxed);
}

static void count_restart(const char *cause)
{
    metric_add(METRIC_SERIES(METRIC_RELAY_RESTARTS, cause), 1);
}

static void publisher_end(struct relay *r)
{
    publisher_destroy(r->publisher);
    outbox_reader_close(r->reader);
    r->publisher = NULL;
    r->reader = NULL;
    r->topic_ready = false;
}

// --- one publisher ---
static bool publisher_begin(struct relay *r, struct err *err)
{
    struct outbox_stats stats;
    outbox_stats(r->outbox, &stats);
    if (!outbox_reader_open(&r->reader, r->outbox, err))
        return false;
    if (!publisher_create(&r->publisher, &r->config.kafka, r->config.topic.name, stats.published,
                          err)) {
        outbox_reader_close(r->reader);
        r->reader = NULL;
        return false;
    }
    r->published = stats.published;
    r->rows = true;
    return true;
}

// A source keeps its partition for ever: in another one its events would lose their order.
static bool partition_choose(struct relay *r, int32_t partitions, int32_t *partition,
                             struct err *err)
{
    struct outbox_stats stats;
    outbox_stats(r->outbox, &stats);
    *partition = stats.partition;
    if (*partition < 0) {
        *partition = publisher_partition_of(&stats.source, partitions);
        return outbox_partition_set(r->outbox, *partition, err);
    }
    return *partition < partitions ||
           err_set(err, ERR_NOT_FOUND,
                   "topic %s has %" PRId32 " partitions, but this source's events are in partition "
                   "%" PRId32 ": give the topic its partitions back",
                   r->config.topic.name, partitions, *partition);
}

static int64_t stop_left_ms(struct relay *r)
{
    pthread_mutex_lock(&r->mu);
    const int64_t left_ns = r->stopping ? r->stop_mono_ns - clock_mono_ns() : INT64_MAX;
    pthread_mutex_unlock(&r->mu);
    return left_ns > 0 ? left_ns / NS_PER_MS : 0;
}

static bool topic_find(struct relay *r, struct err *err)
{
    const int64_t left_ms = stop_left_ms(r);
    const int wait_ms = left_ms >= TOPIC_WAIT_MS ? TOPIC_WAIT_MS : (int)left_ms + 1;
    int32_t partitions, partition;
    if (!publisher_topic_ensure(r->publisher, &r->config.topic, wait_ms, &partitions, err) ||
        !partition_choose(r, partitions, &partition, err))
        return false;
    publisher_partition_set(r->publisher, partition);
    r->topic_ready = true;
    if (r->failures <= 1) // else it got this far before: only an acknowledgement will tell
        trouble_over(r);
    return true;
}

// Not a failure of the publisher: it goes on connecting, which may take longer than one wait.
static void topic_try(struct relay *r)
{
    struct err err;
    if (topic_find(r, &err))
        return;
    trouble_say(r, err.code, err.text);
    const int64_t wait_ms = err_retriable(err.code) ? RETRY_MIN_MS : RETRY_MAX_MS;
    r->retry_mono_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
}

static bool reports_take(struct relay *r, struct err *err)
{
    int64_t acknowledged;
    const bool ok = publisher_serve(r->publisher, &acknowledged, err);
    if (acknowledged == r->published)
        return ok;
    if (fault_here(FAULT_relay_ack))
        return err_set(err, ERR_UNAVAILABLE, "fault relay_ack");
    outbox_published_set(r->outbox, acknowledged);
    r->published = acknowledged;
    r->heard_mono_ns = clock_mono_ns();
    r->failures = 0;
    if (!r->status.connected)
        trouble_over(r);
    return ok;
}

// With nothing on its way a dead connection would stay unnoticed and unhealed: look for the topic
// again. With something on its way librdkafka keeps trying, and its report tells; meanwhile a
// broker that hangs, or the absence of this partition's alone, shows by its silence only.
static void connection_watch(struct relay *r)
{
    const char *trouble = publisher_trouble(r->publisher);
    const int64_t now_mono_ns = clock_mono_ns();
    if (publisher_sent(r->publisher) == r->published)
        r->heard_mono_ns = now_mono_ns;
    else if (now_mono_ns - r->heard_mono_ns > SILENCE_MS * NS_PER_MS && trouble == NULL)
        trouble = "Kafka does not acknowledge what was sent";
    if (trouble == NULL || !r->topic_ready)
        return;
    if (r->status.connected)
        trouble_say(r, ERR_UNAVAILABLE, trouble);
    if (publisher_sent(r->publisher) == r->published)
        r->topic_ready = false;
}

static bool rows_send(struct relay *r, struct err *err)
{
    const size_t room = publisher_room(r->publisher);
    const size_t max = room < READ_MAX ? room : READ_MAX;
    if (max == 0 || !r->rows)
        return true;
    size_t n;
    if (!outbox_read(r->reader, publisher_sent(r->publisher), r->events, max, &n, err))
        return false;
    r->rows = n == max;
    if (n == 0)
        return true;
    if (fault_here(FAULT_relay_read))
        return err_set(err, ERR_UNAVAILABLE, "fault relay_read");
    metric_observe(r->batch, (int64_t)n, 1);
    if (!publisher_send(r->publisher, r->events, n, &r->full, err))
        return false;
    r->rows = r->rows || r->full; // a report makes room, and the rest is read again
    if (fault_here(FAULT_relay_produce))
        return err_set(err, ERR_UNAVAILABLE, "fault relay_produce");
    return true;
}

// --- the thread ---
static bool step(struct relay *r, struct err *err)
{
    if (r->publisher == NULL && !publisher_begin(r, err))
        return false;
    if (!reports_take(r, err))
        return false;
    r->full = false;
    connection_watch(r);
    if (!r->topic_ready)
        topic_try(r);
    return !r->topic_ready || rows_send(r, err);
}

// Between the outbox's step back and the publisher's end nothing is taken in, so no report of rows
// sent before moves `published` ahead again.
static void replay_take(struct relay *r)
{
    pthread_mutex_lock(&r->mu);
    struct replay *replay = r->replay;
    pthread_mutex_unlock(&r->mu);
    if (replay == NULL)
        return;
    replay->ok = outbox_rewind(r->outbox, replay->from, &replay->err);
    if (replay->ok) {
        log_info("relay", "replay: publishing again from sequence %" PRId64, replay->from);
        publisher_end(r);
        count_restart("replay");
    }
    pthread_mutex_lock(&r->mu);
    replay->done = true;
    r->replay = NULL;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mu);
}

static bool is_over(struct relay *r)
{
    pthread_mutex_lock(&r->mu);
    const bool stopping = r->stopping, late = clock_mono_ns() >= r->stop_mono_ns;
    pthread_mutex_unlock(&r->mu);
    if (!stopping || late)
        return stopping;
    struct outbox_stats stats;
    outbox_stats(r->outbox, &stats);
    return stats.published == stats.appended;
}

static int wait_ms(struct relay *r, int64_t retry_ms)
{
    const int64_t stop_ms = stop_left_ms(r) + 1;
    const int64_t wait = retry_ms > 0 && retry_ms < TICK_MS ? retry_ms : TICK_MS;
    return (int)(wait < stop_ms ? wait : stop_ms);
}

// Woken by committed rows, reports, a replay or a stop. Until a retry is due reports stay untaken,
// so they must not wake.
static void wait(struct relay *r)
{
    const int64_t retry_ns = r->retry_mono_ns - clock_mono_ns();
    struct pollfd fds[] = {
        {.fd = mailbox_fd(r->mailbox), .events = POLLIN},
        {.fd = r->publisher != NULL && retry_ns <= 0 ? publisher_fd(r->publisher) : -1,
         .events = POLLIN},
    };
    (void)poll(fds, COUNT_OF(fds), wait_ms(r, retry_ns > 0 ? retry_ns / NS_PER_MS + 1 : 0));
    CHECK(mailbox_take(r->mailbox, 1) == NULL); // it only wakes; and before rows are read
    r->rows = true; // looking costs nothing when there are none, and not every row is announced
}

static bool has_more_to_do(const struct relay *r)
{
    return r->topic_ready && r->rows && !r->full && publisher_room(r->publisher) > 0;
}

static void step_or_retry(struct relay *r)
{
    struct err err;
    const bool ok = step(r, &err);
    in_flight_note(r);
    if (ok)
        return;
    count_restart(err_name(err.code));
    trouble_say(r, err.code, err.text);
    publisher_end(r);
    retry_later(r);
}

static void end(struct relay *r)
{
    publisher_end(r);
    pthread_mutex_lock(&r->mu);
    r->ended = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mu);
}

static void *run(void *arg)
{
    struct relay *r = arg;
    while (!is_over(r)) {
        replay_take(r);
        if (clock_mono_ns() >= r->retry_mono_ns)
            step_or_retry(r);
        // Nobody wakes a relay that has just had the last acknowledgement before it stops.
        if (!has_more_to_do(r) && !is_over(r))
            wait(r);
    }
    end(r);
    return NULL;
}

// --- main and other threads ---
bool relay_create(struct relay **out, const struct relay_config *config, struct outbox *outbox,
                  struct err *err)
{
    struct relay *r = xcalloc(1, sizeof(*r));
    r->config = *config;
    r->outbox = outbox;
    struct outbox_stats stats;
    outbox_stats(outbox, &stats);
    r->source = stats.source;
    r->batch = METRIC_SERIES(METRIC_RELAY_BATCH);
    if (!publisher_begin(r, err)) {
        free(r);
        return err_prefix(err, "relay");
    }
    r->mailbox = mailbox_create(1);
    r->events = xcalloc(READ_MAX, sizeof(*r->events));
    pthread_mutex_init(&r->mu, NULL);
    pthread_cond_init(&r->changed, NULL);
    snprintf(r->status.trouble, sizeof(r->status.trouble), "connecting");
    CHECK_INT(pthread_create(&r->thread, NULL, run, r), ==, 0);
    pthread_setname_np(r->thread, "relay");
    *out = r;
    return true;
}

void relay_wake(struct relay *relay)
{
    mailbox_wake(relay->mailbox);
}

bool relay_replay(struct relay *relay, int64_t from, struct err *err)
{
    struct replay replay = {.from = from};
    pthread_mutex_lock(&relay->mu);
    while (relay->replay != NULL && !relay->ended) // another caller's turn
        pthread_cond_wait(&relay->changed, &relay->mu);
    if (!relay->ended)
        relay->replay = &replay;
    mailbox_wake(relay->mailbox);
    while (!replay.done && !relay->ended)
        pthread_cond_wait(&relay->changed, &relay->mu);
    pthread_mutex_unlock(&relay->mu);
    if (!replay.done)
        return err_set(err, ERR_UNAVAILABLE, "the relay has stopped");
    if (!replay.ok)
        *err = replay.err;
    return replay.ok;
}

void relay_status(struct relay *relay, struct relay_status *out)
{
    pthread_mutex_lock(&relay->mu);
    *out = relay->status;
    pthread_mutex_unlock(&relay->mu);
    out->in_flight = atomic_load_explicit(&relay->in_flight, memory_order_relaxed);
}

bool relay_stop(struct relay *relay, int64_t grace_ms)
{
    if (!relay->joined) {
        pthread_mutex_lock(&relay->mu);
        relay->stopping = true;
        relay->stop_mono_ns = clock_mono_ns() + grace_ms * NS_PER_MS;
        pthread_mutex_unlock(&relay->mu);
        mailbox_wake(relay->mailbox);
        CHECK_INT(pthread_join(relay->thread, NULL), ==, 0);
        relay->joined = true;
    }
    struct outbox_stats stats;
    outbox_stats(relay->outbox, &stats);
    return stats.published == stats.appended;
}

void relay_destroy(struct relay *relay)
{
    if (relay == NULL)
        return;
    (void)relay_stop(relay, 0);
    mailbox_destroy(relay->mailbox);
    pthread_cond_destroy(&relay->changed);
    pthread_mutex_destroy(&relay->mu);
    free(relay->events);
    free(relay);
}
