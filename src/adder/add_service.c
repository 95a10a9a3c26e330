// SPDX-License-Identifier: Apache-2.0
#include "adder/add_service.h"

#include "adder/add_spans.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#include "adder.pb-c.h"

#include <stdlib.h>
#include <string.h>

// sum and sequence: a tag and at most 10 bytes each; source: a tag, a length, the text.
#define ANSWER_BYTES (11 + 2 + UUID_LENGTH + 11)

struct loop_answers {
    struct add_service *service;
    struct mailbox *mailbox; // owned: jobs that are done, back on their loop
};

struct add_service {
    // fixed after create
    struct writer *writer;
    struct uuid source;
    int loops;
    struct loop_answers *answers; // owned, one a loop
};

struct add_service *add_service_create(struct writer *writer, const struct uuid *source, int loops)
{
    struct add_service *s = xcalloc(1, sizeof(*s));
    *s = (struct add_service){.writer = writer, .source = *source, .loops = loops};
    s->answers = xcalloc((size_t)loops, sizeof(*s->answers));
    for (int i = 0; i < loops; i++) {
        // Every job in it is a call, and the gRPC layer has bounded those.
        s->answers[i] = (struct loop_answers){s, mailbox_create(SIZE_MAX)};
    }
    return s;
}

void add_service_destroy(struct add_service *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < s->loops; i++)
        mailbox_destroy(s->answers[i].mailbox);
    free(s->answers);
    free(s);
}

// --- what becomes of an add: told before the call ends, since its state goes with it ---
struct refusal {
    enum grpc_status status;
    const char *reason, *text;
};

static const struct refusal malformed = {GRPC_INTERNAL, "REQUEST_MALFORMED",
                                         "the message is not an abacus.v1.AddRequest"};
static const struct refusal out_of_range = {GRPC_OUT_OF_RANGE, "SUM_OUT_OF_RANGE",
                                            "the sum does not fit in 64 bits"};
static const struct refusal id_malformed = {GRPC_INVALID_ARGUMENT, "REQUEST_ID_MALFORMED",
                                            "request_id is not a UUID"};
static const struct refusal too_many = {
    GRPC_RESOURCE_EXHAUSTED, "TOO_MANY_WAITING",
    "too many adds wait for the disk or for Kafka; nothing was written"};
static const struct refusal failed = {
    GRPC_UNAVAILABLE, "OUTBOX_UNAVAILABLE",
    "the sum could not be made durable; retry with the same request_id"};
static const struct refusal expired = {GRPC_DEADLINE_EXCEEDED, "DEADLINE_PASSED",
                                       "nothing was written"};
static const struct refusal id_reused = {GRPC_INVALID_ARGUMENT, "REQUEST_ID_REUSED",
                                         "request_id was used before with other numbers"};

static void debug_log(const struct add_service *s, const struct add *add, const char *what)
{
    if (log_level_get() > LOG_DEBUG)
        return;
    const struct trace_ids ids = trace_context_ids(&add->context);
    const struct log_field fields[] = {
        {"trace_id", ids.trace_id, 0},
        {"span_id", ids.span_id, 0},
        {"source", s->source.text, 0},
        {"sequence", NULL, add->sequence},
    };
    const size_t n = COUNT_OF(fields) - (add->sequence == 0); // it has none when refused
    log_fields(LOG_DEBUG, "add", fields, n, "%s", what);
}

// Whoever has left will not see it.
static enum grpc_status status_seen(const struct grpc_call *call, enum grpc_status status)
{
    if (!grpc_call_gone(call))
        return status;
    return grpc_call_deadline_mono_ns(call) <= clock_mono_ns() ? GRPC_DEADLINE_EXCEEDED
                                                               : GRPC_CANCELLED;
}

static void tell(struct grpc_call *call, const struct add_service *s, enum grpc_status status,
                 const char *what)
{
    const struct writer_job *job = grpc_call_state(call);
    debug_log(s, &job->add, what);
    if (job->traced)
        add_span_end(call, job, status_seen(call, status), s->source.text);
}

static void refuse(struct grpc_call *call, const struct add_service *s,
                   const struct refusal *refusal)
{
    tell(call, s, refusal->status, refusal->text);
    grpc_call_fail(call, refusal->status, refusal->reason, "%s", refusal->text);
}

// --- the request: a call's state is its job, and stays valid until the call is answered ---
static bool abandoned(const struct writer_job *job)
{
    return grpc_call_gone(grpc_call_of_state((void *)(uintptr_t)job));
}

// NULL: it is good.
static const struct refusal *request_read(const Abacus__V1__AddRequest *request, struct add *add)
{
    const char *id = request->request_id;
    add->a = request->a;
    add->b = request->b;
    if (__builtin_add_overflow(add->a, add->b, &add->sum))
        return &out_of_range;
    if (id[0] != '\0' && !uuid_parse(id, strlen(id), &add->request_id))
        return &id_malformed;
    return NULL;
}

static const struct refusal *message_read(struct grpc_slice message, struct add *add)
{
    Abacus__V1__AddRequest *request =
        abacus__v1__add_request__unpack(NULL, message.length, message.data);
    if (request == NULL)
        return &malformed;
    const struct refusal *refusal = request_read(request, add);
    abacus__v1__add_request__free_unpacked(request, NULL);
    return refusal;
}

static void on_add(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    struct add_service *s = ctx;
    struct writer_job *job = grpc_call_state(call);
    add_span_begin(call, job);
    const struct refusal *refusal = message_read(message, &job->add);
    if (refusal != NULL) {
        refuse(call, s, refusal);
        return;
    }
    job->add.accepted_unix_us = clock_unix_us();
    job->deadline_mono_ns = grpc_call_deadline_mono_ns(call);
    job->reply = s->answers[grpc_call_loop(call)].mailbox;
    job->abandoned = abandoned;
    if (!writer_submit(s->writer, job))
        refuse(call, s, &too_many);
}

// --- the answer ---
static void reply(struct grpc_call *call, const struct add_service *s, const struct add *add)
{
    Abacus__V1__AddResponse answer = ABACUS__V1__ADD_RESPONSE__INIT;
    answer.sum = add->sum;
    answer.source = (char *)(uintptr_t)s->source.text;
    answer.sequence = add->sequence;
    uint8_t packed[ANSWER_BYTES];
    const size_t length = abacus__v1__add_response__pack(&answer, packed);
    CHECK_INT(length, <=, ANSWER_BYTES);
    tell(call, s, GRPC_OK, "added");
    grpc_call_reply(call, packed, length);
}

static void answer(struct grpc_call *call, const struct add_service *s,
                   const struct writer_job *job)
{
    if (fault_here(FAULT_add_answer) || job->result == WRITER_FAILED)
        refuse(call, s, &failed);
    else if (job->result == WRITER_EXPIRED)
        refuse(call, s, &expired);
    else if (job->add.outcome == ADD_CONFLICT)
        refuse(call, s, &id_reused);
    else
        reply(call, s, &job->add);
}

// On the loop's thread.
static void on_answers(void *ctx)
{
    const struct loop_answers *answers = ctx;
    struct mailbox_item *item = mailbox_take(answers->mailbox, SIZE_MAX);
    while (item != NULL) {
        struct writer_job *job = CONTAINER_OF(item, struct writer_job, item);
        item = item->next; // the answer ends the call and with it the job
        answer(grpc_call_of_state(job), answers->service, job);
    }
}

struct grpc_method add_service_method(struct add_service *service)
{
    return (struct grpc_method){
        .path = "/abacus.v1.Adder/Add",
        .kind = GRPC_UNARY,
        .state_bytes = sizeof(struct writer_job),
        .on_message = on_add,
        .ctx = service,
    };
}

const struct trace_context *add_service_context(const void *state)
{
    const struct writer_job *job = state;
    return &job->add.context;
}

void add_service_attach(struct add_service *service, struct grpc_server *server)
{
    for (int i = 0; i < service->loops; i++)
        grpc_server_watch(server, i, mailbox_fd(service->answers[i].mailbox), on_answers,
                          &service->answers[i]);
}
