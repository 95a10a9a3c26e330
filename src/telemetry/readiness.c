// SPDX-License-Identifier: Apache-2.0
#include "telemetry/readiness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 256 // one line to read

struct condition {
    const char *name; // fixed after create
    bool ok;
    char reason[REASON_BYTES];
};

struct readiness {
    // fixed after create
    size_t count;
    void (*on_change)(bool ready, void *ctx);
    void *ctx;
    // shared, under mu
    pthread_mutex_t mu;
    struct condition conditions[READINESS_CONDITIONS_MAX];
    bool told;    // what on_change heard last
    bool telling; // a thread is in on_change
};

struct readiness *readiness_create(const char *const *names, size_t count)
{
    CHECK(count >= 1 && count <= READINESS_CONDITIONS_MAX);
    struct readiness *r = xcalloc(1, sizeof(*r));
    r->count = count;
    pthread_mutex_init(&r->mu, NULL);
    for (size_t i = 0; i < count; i++)
        r->conditions[i] = (struct condition){.name = names[i], .reason = "starting"};
    return r;
}

void readiness_destroy(struct readiness *readiness)
{
    if (readiness == NULL)
        return;
    pthread_mutex_destroy(&readiness->mu);
    free(readiness);
}

void readiness_on_change(struct readiness *readiness, void (*on_change)(bool ready, void *ctx),
                         void *ctx)
{
    readiness->on_change = on_change;
    readiness->ctx = ctx;
}

static bool ready_locked(const struct readiness *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->conditions[i].ok)
            return false;
    }
    return true;
}

// One thread at a time tells, and goes on until what it told is true: otherwise two changes could
// be heard in the wrong order, and the last word would be wrong for ever.
static void tell_locked(struct readiness *r)
{
    if (r->telling)
        return;
    r->telling = true;
    while (r->told != ready_locked(r)) {
        const bool ready = !r->told;
        r->told = ready;
        pthread_mutex_unlock(&r->mu);
        if (r->on_change != NULL)
            r->on_change(ready, r->ctx);
        pthread_mutex_lock(&r->mu);
    }
    r->telling = false;
}

void readiness_set(struct readiness *readiness, size_t index, bool ok, const char *reason)
{
    CHECK_INT(index, <, readiness->count);
    pthread_mutex_lock(&readiness->mu);
    struct condition *c = &readiness->conditions[index];
    c->ok = ok;
    if (!ok)
        snprintf(c->reason, sizeof(c->reason), "%s", reason);
    tell_locked(readiness);
    pthread_mutex_unlock(&readiness->mu);
}

bool readiness_get(struct readiness *readiness)
{
    pthread_mutex_lock(&readiness->mu);
    const bool ready = ready_locked(readiness);
    pthread_mutex_unlock(&readiness->mu);
    return ready;
}

static void append_text_json(struct bytes *out, const char *text)
{
    bytes_append_json_string(out, text, strlen(text));
}

void readiness_json(struct readiness *readiness, struct bytes *out)
{
    pthread_mutex_lock(&readiness->mu);
    bytes_printf(out, "{\"ready\":%s,\"conditions\":{", ready_locked(readiness) ? "true" : "false");
    for (size_t i = 0; i < readiness->count; i++) {
        const struct condition *c = &readiness->conditions[i];
        bytes_append_text(out, i > 0 ? "," : "");
        append_text_json(out, c->name);
        bytes_append_text(out, ":");
        append_text_json(out, c->ok ? "ok" : c->reason);
    }
    bytes_append_text(out, "}}");
    pthread_mutex_unlock(&readiness->mu);
}

void readiness_put(struct readiness *readiness, struct metrics_scrape *scrape)
{
    pthread_mutex_lock(&readiness->mu);
    for (size_t i = 0; i < readiness->count; i++) {
        const struct condition *c = &readiness->conditions[i];
        METRIC_PUT(scrape, METRIC_READY, c->ok, c->name);
    }
    pthread_mutex_unlock(&readiness->mu);
}
