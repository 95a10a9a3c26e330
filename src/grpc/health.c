// SPDX-License-Identifier: Apache-2.0
#include "grpc/health.h"

#include "base/mailbox.h"

#include "health.pb-c.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;
#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name
#define ANSWER_BYTES 16 // of one HealthCheckResponse: a tag and a small number

// State of a Watch call, in its loop's list.
struct watcher {
    LIST_ENTRY(watcher) links;
    bool known;          // the service exists
    serving_status last; // what the client was told
};
LIST_HEAD(watcher_list, watcher);

struct loop_watchers {
    struct watcher_list list;
    struct mailbox *changed; // owned; woken, never filled
    struct grpc_health *health;
};

struct grpc_health {
    // fixed after create
    const char *const *services;
    size_t count;
    int loops;
    // each loop's own
    struct loop_watchers *watchers; // owned
    // shared
    _Atomic bool serving;
};

struct grpc_health *grpc_health_create(const char *const *services, size_t count, int loops)
{
    struct grpc_health *h = xcalloc(1, sizeof(*h));
    h->services = services;
    h->count = count;
    h->loops = loops;
    h->watchers = xcalloc((size_t)loops, sizeof(*h->watchers));
    for (int i = 0; i < loops; i++) {
        h->watchers[i].changed = mailbox_create(1);
        h->watchers[i].health = h;
        LIST_INIT(&h->watchers[i].list);
    }
    return h;
}

void grpc_health_destroy(struct grpc_health *h)
{
    if (h == NULL)
        return;
    for (int i = 0; i < h->loops; i++)
        mailbox_destroy(h->watchers[i].changed);
    free(h->watchers);
    free(h);
}

static bool service_known(const struct grpc_health *h, const char *name)
{
    bool known = name[0] == '\0';
    for (size_t i = 0; i < h->count; i++)
        known |= strcmp(name, h->services[i]) == 0;
    return known;
}

static serving_status status_now(const struct grpc_health *h)
{
    return atomic_load(&h->serving) ? STATUS(SERVING) : STATUS(NOT_SERVING);
}

static size_t answer_pack(uint8_t out[ANSWER_BYTES], serving_status status)
{
    Grpc__Health__V1__HealthCheckResponse answer = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    answer.status = status;
    CHECK_INT(grpc__health__v1__health_check_response__get_packed_size(&answer), <=, ANSWER_BYTES);
    return grpc__health__v1__health_check_response__pack(&answer, out);
}

// False: the request is not one, and the call is answered.
static bool request_parse(struct grpc_call *call, struct grpc_slice message,
                          const struct grpc_health *h, bool *known)
{
    Grpc__Health__V1__HealthCheckRequest *request =
        grpc__health__v1__health_check_request__unpack(NULL, message.length, message.data);
    if (request == NULL) {
        grpc_call_finish(call, GRPC_INTERNAL, "the request is not a HealthCheckRequest");
        return false;
    }
    *known = service_known(h, request->service);
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
    return true;
}

static void on_check(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    const struct grpc_health *h = ctx;
    bool known;
    if (!request_parse(call, message, h, &known))
        return;
    if (!known) {
        grpc_call_finish(call, GRPC_NOT_FOUND, "unknown service");
        return;
    }
    uint8_t answer[ANSWER_BYTES];
    grpc_call_reply(call, answer, answer_pack(answer, status_now(h)));
}

static void on_list(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)message; // HealthListRequest has no fields
    const struct grpc_health *h = ctx;
    Grpc__Health__V1__HealthCheckResponse status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    status.status = status_now(h);
    const size_t count = h->count + 1;
    Grpc__Health__V1__HealthListResponse__StatusesEntry *entries = xcalloc(count, sizeof(*entries));
    Grpc__Health__V1__HealthListResponse__StatusesEntry **list = xcalloc(count, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)(i == 0 ? "" : h->services[i - 1]);
        entries[i].value = &status;
        list[i] = &entries[i];
    }
    Grpc__Health__V1__HealthListResponse answer = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    answer.statuses = list;
    answer.n_statuses = count;
    const size_t length = grpc__health__v1__health_list_response__get_packed_size(&answer);
    uint8_t *packed = xmalloc(length);
    grpc__health__v1__health_list_response__pack(&answer, packed);
    grpc_call_reply(call, packed, length);
    free(packed);
    free(list);
    free(entries);
}

// False: the client read too little and the call is over.
static bool watcher_tell(struct watcher *w, serving_status status)
{
    uint8_t answer[ANSWER_BYTES];
    w->last = status;
    return grpc_call_send(grpc_call_of_state(w), answer, answer_pack(answer, status));
}

static void on_watch(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    struct grpc_health *h = ctx;
    struct watcher *w = grpc_call_state(call);
    if (!request_parse(call, message, h, &w->known))
        return;
    LIST_INSERT_HEAD(&h->watchers[grpc_call_loop(call)].list, w, links);
    if (!watcher_tell(w, w->known ? status_now(h) : STATUS(SERVICE_UNKNOWN)))
        LIST_REMOVE(w, links);
}

static void on_watch_gone(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    struct watcher *w = grpc_call_state(call);
    LIST_REMOVE(w, links);
}

void grpc_health_methods(struct grpc_health *health, struct grpc_method *out)
{
    const struct grpc_method methods[GRPC_HEALTH_METHODS] = {
        {.path = "/grpc.health.v1.Health/Check",
         .kind = GRPC_UNARY,
         .on_message = on_check,
         .ctx = health},
        {.path = "/grpc.health.v1.Health/List",
         .kind = GRPC_UNARY,
         .on_message = on_list,
         .ctx = health},
        {.path = "/grpc.health.v1.Health/Watch",
         .kind = GRPC_SERVER_STREAM,
         .state_bytes = sizeof(struct watcher),
         .on_message = on_watch,
         .on_gone = on_watch_gone,
         .ctx = health},
    };
    memcpy(out, methods, sizeof(methods));
}

// On a loop's thread.
static void on_changed(void *ctx)
{
    struct loop_watchers *watchers = ctx;
    (void)mailbox_take(watchers->changed, 1);
    const serving_status status = status_now(watchers->health);
    struct watcher *w = LIST_FIRST(&watchers->list);
    while (w != NULL) {
        struct watcher *next = LIST_NEXT(w, links);
        if (w->known && w->last != status && !watcher_tell(w, status))
            LIST_REMOVE(w, links);
        w = next;
    }
}

void grpc_health_attach(struct grpc_health *health, struct grpc_server *server)
{
    for (int i = 0; i < health->loops; i++) {
        struct loop_watchers *watchers = &health->watchers[i];
        grpc_server_watch(server, i, mailbox_fd(watchers->changed), on_changed, watchers);
    }
}

void grpc_health_set(struct grpc_health *health, bool serving)
{
    if (atomic_exchange(&health->serving, serving) == serving)
        return;
    for (int i = 0; i < health->loops; i++)
        mailbox_wake(health->watchers[i].changed);
}
