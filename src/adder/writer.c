// SPDX-License-Identifier: Apache-2.0
#include "adder/writer.h"

#include "adder/add_spans.h"
#include "adder/writer_metrics.h"
#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define TEND_IDLE_MS 1000 // how often the store is tended while nothing happens
#define TEND_COMMITS 64   // and under load: every so many commits

// While one batch is committed the next may wait, and some of the one after it: with less the
// writer would find too few to go on with.
#define QUEUE_MIN (2 * OUTBOX_BATCH_MAX)

struct writer {
    // fixed after create
    struct outbox *outbox;
    struct writer_config config;
    struct mailbox *queue; // owned
    struct writer_metrics metrics;
    pthread_t thread;
    // the writer's thread
    bool healthy;      // what readiness was last told
    int commits;       // since the store was last tended
    int64_t commit_ns; // how long one takes, as far as we know
    // shared
    _Atomic bool stopping;
    _Atomic int64_t backlog; // as of the last commit, or of the last time it was full
};

struct writer *writer_create(struct outbox *outbox, const struct writer_config *config)
{
    struct writer *w = xcalloc(1, sizeof(*w));
    w->outbox = outbox;
    w->config = *config;
    w->queue = mailbox_create(config->queue_max);
    w->commit_ns = NS_PER_MS;
    writer_metrics_init(&w->metrics);
    return w;
}

void writer_destroy(struct writer *w)
{
    if (w == NULL)
        return;
    mailbox_destroy(w->queue);
    free(w);
}

static void backlog_note(struct writer *w)
{
    struct outbox_stats stats;
    outbox_stats(w->outbox, &stats);
    atomic_store_explicit(&w->backlog, stats.appended - stats.published, memory_order_relaxed);
}

static bool backlog_full(struct writer *w)
{
    const int64_t max = w->config.backlog_max;
    if (max == 0 || atomic_load_explicit(&w->backlog, memory_order_relaxed) < max)
        return false;
    backlog_note(w); // Kafka may have taken rows since
    return atomic_load_explicit(&w->backlog, memory_order_relaxed) >= max;
}

bool writer_submit(struct writer *w, struct writer_job *job)
{
    const bool backlog = backlog_full(w);
    if (!backlog && mailbox_put(w->queue, &job->item))
        return true;
    writer_metrics_refused(&w->metrics, backlog ? REFUSED_BACKLOG_FULL : REFUSED_QUEUE_FULL, 1);
    return false;
}

size_t writer_queue_length(struct writer *w)
{
    return mailbox_length(w->queue);
}

size_t writer_queue_places(struct writer *w)
{
    return mailbox_limit(w->queue);
}

// --- the writer's thread ---
static struct writer_job *job_of(struct mailbox_item *item)
{
    return CONTAINER_OF(item, struct writer_job, item);
}

// The job is its submitter's from here on.
static void finish(struct writer_job *job, enum writer_result result)
{
    job->result = result;
    if (result == WRITER_FAILED)
        job->add.sequence = 0; // perhaps of a transaction that was rolled back
    const bool room = mailbox_put(job->reply, &job->item);
    CHECK(room); // a reply mailbox has room for every call there can be
}

static void health_set(struct writer *w, bool healthy, const char *reason)
{
    if (healthy != w->healthy && healthy)
        log_info("writer", "the outbox takes adds");
    else if (healthy != w->healthy)
        log_error("writer", "%s; adds are refused until it works again", reason);
    w->healthy = healthy;
    readiness_set(w->config.readiness, w->config.readiness_index, healthy, reason);
}

// Sorts out what nobody waits for; the rest goes into jobs. Returns how many.
static size_t wanted(struct writer *w, struct mailbox_item *list,
                     struct writer_job *jobs[OUTBOX_BATCH_MAX])
{
    const int64_t now = clock_mono_ns();
    size_t n = 0, expired = 0;
    while (list != NULL) {
        struct writer_job *job = job_of(list);
        list = list->next;
        if (job->deadline_mono_ns <= now || job->abandoned(job)) {
            finish(job, WRITER_EXPIRED);
            expired++;
        } else {
            jobs[n++] = job;
        }
    }
    writer_metrics_refused(&w->metrics, REFUSED_EXPIRED, expired);
    return n;
}

static bool append(struct writer *w, struct writer_job *const *jobs, size_t n, struct err *err)
{
    struct add *adds[OUTBOX_BATCH_MAX];
    for (size_t i = 0; i < n; i++)
        adds[i] = &jobs[i]->add;
    struct insert_times times = {.begin_unix_us = clock_unix_us()};
    const bool ok = outbox_append(w->outbox, adds, n, err);
    times.end_unix_us = clock_unix_us();
    if (ok) {
        w->config.on_committed(w->config.ctx);
        writer_metrics_committed(&w->metrics, adds, n, times.end_unix_us);
    } else {
        writer_metrics_refused(&w->metrics, REFUSED_OUTBOX_FAILED, n);
    }
    add_spans_insert(jobs, n, &times, ok ? NULL : err);
    return ok;
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

// Whether the commit was slow by chance or the disk has become slow, the next ones will tell: what
// is believed of it changes at most fourfold with each.
static void queue_fit(struct writer *w, int64_t took_ns)
{
    const int64_t queue_max = (int64_t)w->config.queue_max;
    const int64_t least = QUEUE_MIN < queue_max ? QUEUE_MIN : queue_max;
    w->commit_ns = within(took_ns, w->commit_ns / 4 + 1, w->commit_ns * 4);
    const int64_t commits = w->config.wait_max_ms * NS_PER_MS / w->commit_ns;
    const int64_t places = within(commits * OUTBOX_BATCH_MAX, least, queue_max);
    mailbox_limit_set(w->queue, (size_t)places);
}

static void commit(struct writer *w, struct mailbox_item *list)
{
    const int64_t begin_mono_ns = clock_mono_ns();
    struct writer_job *jobs[OUTBOX_BATCH_MAX];
    const size_t n = wanted(w, list, jobs);
    if (n == 0)
        return;
    struct err err;
    const bool ok = append(w, jobs, n, &err);
    // Readiness first: whoever hears "unavailable" and looks must see why.
    if (!ok || !w->healthy)
        health_set(w, ok, ok ? "" : err.text);
    backlog_note(w);
    for (size_t i = 0; i < n; i++)
        finish(jobs[i], ok ? WRITER_COMMITTED : WRITER_FAILED);
    queue_fit(w, clock_mono_ns() - begin_mono_ns);
}

// *more: there is more to tidy up.
static void tend(struct writer *w, bool *more)
{
    struct err err;
    *more = false;
    w->commits = 0;
    const bool ok = outbox_tend(w->outbox, more, &err);
    if (ok != w->healthy)
        health_set(w, ok, ok ? "" : err.text);
    backlog_note(w);
}

static void *run(void *arg)
{
    struct writer *w = arg;
    for (;;) {
        bool more = false;
        // Asked before the queue: who stops us has stopped all submitters first.
        const bool stopping = atomic_load(&w->stopping);
        struct mailbox_item *list = mailbox_take(w->queue, OUTBOX_BATCH_MAX);
        if (list != NULL)
            commit(w, list);
        else if (stopping)
            return NULL;
        if (list == NULL || ++w->commits >= TEND_COMMITS)
            tend(w, &more);
        // Asked again: the wake-up of a stop that came in between is taken out of the queue
        // already.
        if (list == NULL && !more && !atomic_load(&w->stopping))
            mailbox_wait(w->queue, TEND_IDLE_MS);
    }
}

void writer_start(struct writer *w)
{
    w->healthy = true;
    readiness_set(w->config.readiness, w->config.readiness_index, true, "");
    backlog_note(w);
    CHECK_INT(pthread_create(&w->thread, NULL, run, w), ==, 0);
    pthread_setname_np(w->thread, "writer");
}

void writer_stop(struct writer *w)
{
    atomic_store(&w->stopping, true);
    mailbox_wake(w->queue);
    CHECK_INT(pthread_join(w->thread, NULL), ==, 0);
}
