// SPDX-License-Identifier: Apache-2.0
// abacus-cli add A B: one call of abacus.v1.Adder/Add, with tracing on (the OTEL_* variables) below
// a span of its own.
#include "base/bytes.h"
#include "base/clock.h"
#include "base/int128.h"
#include "base/log.h"
#include "base/uuid.h"
#include "cli/address.h"
#include "cli/cli.h"
#include "grpc/client.h"
#include "telemetry/trace.h"

#include "adder.pb-c.h"
#include "error_subset.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES_MAX 4096
#define METHOD            "abacus.v1.Adder/Add"
#define TRACE_STOP_MS     2000 // a collector that does not answer must not keep people waiting

struct add_config {
    const char *adder, *request_id, *traceparent;
    int64_t timeout_ms;
    int output;
};

#define FIELD(name) .offset = offsetof(struct add_config, name)
static const struct option table[] = {
    {"adder", OPTION_TEXT, FIELD(adder), "127.0.0.1:50051", .unit = "HOST:PORT",
     .text = "The adder's gRPC address."},
    {"request-id", OPTION_TEXT, FIELD(request_id), .unit = "UUID",
     .text = "The same id again gives the first answer and adds nothing."},
    {"timeout-ms", OPTION_INT, FIELD(timeout_ms), "10000", 1, INT32_MAX, .unit = "MS",
     .text = "The call's deadline."},
    {"traceparent", OPTION_TEXT, FIELD(traceparent), .unit = "W3C",
     .text = "The trace that the add belongs to."},
    CLI_OUTPUT_OPTION(offsetof(struct add_config, output)),
};

static const struct options_usage usage = {
    .program = "abacus-cli add",
    .synopsis = "[OPTION]... A B",
    .purpose = "Adds two integers. The answer comes when the sum is durable.\n"
               "Exit code 0: added; 1: refused, or no answer; 2: wrong arguments.",
    .positional_max = 2,
};

static bool numbers_parse(const struct option_list *words, Abacus__V1__AddRequest *request,
                          struct err *err)
{
    int64_t *const numbers[] = {&request->a, &request->b};
    static const char names[] = "AB";
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (words->count <= i)
            return err_set(err, ERR_USAGE, "%c is missing: which two numbers?", names[i]);
        if (!int64_parse(words->items[i], strlen(words->items[i]), numbers[i]))
            return err_set(err, ERR_USAGE, "%c: \"%.100s\" is not a whole number of 64 bits",
                           names[i], words->items[i]);
    }
    return true;
}

// --- the call and its span ---
// With tracing off the span is empty, and the context is what the caller gave.
struct add_call {
    struct address address;
    struct span span;
    bool sampled;
    struct trace_context sent; // with the call; empty: none
    struct grpc_answer answer;
};

static void span_begin(struct add_call *call, const char *traceparent)
{
    struct span *span = &call->span;
    *span = (struct span){.name = METHOD, .kind = SPAN_CLIENT, .parent_remote = true};
    trace_context_parse(traceparent, strlen(traceparent), &span->parent); // "": none
    call->sampled = trace_begin(&span->parent, &call->sent);
    // Where the trace begins it is decided whether it is recorded: the adder must not decide again.
    if (trace_enabled() && !call->sampled && call->sent.traceparent[0] == '\0')
        call->sent = trace_context_make(&span->parent, false);
    span->context = call->sent;
    span->begin_unix_us = clock_unix_us();
}

static void span_end(struct add_call *call)
{
    struct span *span = &call->span;
    const char *status = grpc_status_name((int)call->answer.status);
    const bool ok = call->answer.status == GRPC_OK;
    const struct bytes *text = &call->answer.text;
    int64_t port;
    if (!call->sampled)
        return;
    span->end_unix_us = clock_unix_us();
    span->parent_remote = span->parent.traceparent[0] != '\0';
    span->error = ok ? NULL : text->length == 0 ? "" : (const char *)text->data;
    span_text(span, "rpc.system.name", "grpc");
    span_text(span, "rpc.method", METHOD);
    span_text(span, "rpc.response.status_code", status);
    span_text(span, "error.type", ok ? NULL : status);
    span_text(span, "server.address", call->address.host);
    if (int64_parse(call->address.port, strlen(call->address.port), &port))
        span_number(span, "server.port", port);
    trace_end(span);
}

static void call_run(const struct add_config *config, const Abacus__V1__AddRequest *request,
                     struct add_call *call)
{
    uint8_t bytes[REQUEST_BYTES_MAX];
    span_begin(call, config->traceparent);
    const struct grpc_call_spec spec = {
        .path = "/" METHOD,
        .message = {bytes, abacus__v1__add_request__pack(request, bytes)},
        .timeout_ms = config->timeout_ms,
        .traceparent = call->sent.traceparent[0] == '\0' ? NULL : call->sent.traceparent,
    };
    grpc_call_blocking(call->address.host, call->address.port, &spec, &call->answer);
    span_end(call);
}

// --- what is said of it ---

// The reason of the ErrorInfo (AIP-193) as " (REASON)", or nothing.
static void append_reason(struct bytes *text, const struct bytes *details)
{
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details->length, details->data);
    for (size_t i = 0; status != NULL && i < status->n_details; i++) {
        const Google__Rpc__Any *any = status->details[i];
        if (strcmp(any->type_url, "type.googleapis.com/google.rpc.ErrorInfo") != 0)
            continue;
        Google__Rpc__ErrorInfo *info =
            google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
        if (info != NULL)
            bytes_printf(text, " (%s)", info->reason);
        google__rpc__error_info__free_unpacked(info, NULL);
    }
    google__rpc__status__free_unpacked(status, NULL);
}

static int report_failure(const struct grpc_answer *answer)
{
    struct bytes text = {0}, safe = {0};
    bytes_append(&text, answer->text.data, answer->text.length);
    append_reason(&text, &answer->details);
    bytes_append_printable(&safe, (const char *)text.data, text.length);
    fprintf(stderr, "add: %s: %s\n", grpc_status_name((int)answer->status),
            (const char *)safe.data);
    bytes_clear(&text);
    bytes_clear(&safe);
    return CLI_FAILED;
}

// trace_id: "" when the call was not recorded.
static void print_json(const Abacus__V1__AddRequest *request,
                       const Abacus__V1__AddResponse *response, const char *trace_id)
{
    struct bytes line = {0};
    bytes_printf(&line, "{\"a\":\"%" PRId64 "\",\"b\":\"%" PRId64 "\",\"sum\":\"%" PRId64 "\"",
                 request->a, request->b, response->sum);
    bytes_append_text(&line, ",\"source\":");
    bytes_append_json_string(&line, response->source, strlen(response->source));
    bytes_printf(&line, ",\"sequence\":\"%" PRId64 "\"", response->sequence);
    if (trace_id[0] != '\0')
        bytes_printf(&line, ",\"trace_id\":\"%s\"", trace_id);
    bytes_append_text(&line, "}");
    puts((const char *)line.data);
    bytes_clear(&line);
}

static void print_text(const Abacus__V1__AddRequest *request,
                       const Abacus__V1__AddResponse *response, const char *trace_id)
{
    printf("%" PRId64 " + %" PRId64 " = %" PRId64 "  ", request->a, request->b, response->sum);
    if (trace_id[0] != '\0')
        printf("trace %s  ", trace_id);
    printf("(source %s, sequence %" PRId64 ")\n", response->source, response->sequence);
}

static int report(const struct add_config *config, const Abacus__V1__AddRequest *request,
                  const struct add_call *call)
{
    const struct grpc_answer *answer = &call->answer;
    if (answer->status != GRPC_OK)
        return report_failure(answer);
    Abacus__V1__AddResponse *response =
        abacus__v1__add_response__unpack(NULL, answer->message.length, answer->message.data);
    if (response == NULL) {
        fprintf(stderr, "add: the answer is no abacus.v1.AddResponse\n");
        return CLI_FAILED;
    }
    const struct trace_ids ids = trace_context_ids(&call->span.context);
    (config->output == CLI_JSON ? print_json : print_text)(request, response,
                                                           call->sampled ? ids.trace_id : "");
    fflush(stdout); // before the exporter may have to wait for a collector
    abacus__v1__add_response__free_unpacked(response, NULL);
    return CLI_OK;
}

static bool arguments_parse(const struct add_config *config, const struct option_list *words,
                            Abacus__V1__AddRequest *request, struct address *address,
                            struct err *err)
{
    struct trace_context context;
    const char *trace = config->traceparent;
    request->request_id = (char *)(uintptr_t)config->request_id;
    if (!numbers_parse(words, request, err) || !address_parse(address, "adder", config->adder, err))
        return false;
    if (abacus__v1__add_request__get_packed_size(request) > REQUEST_BYTES_MAX)
        return err_set(err, ERR_USAGE, "--request-id: much too long for a UUID");
    if (trace[0] != '\0' && !trace_context_parse(trace, strlen(trace), &context))
        return err_set(err, ERR_USAGE, "--traceparent: \"%.100s\" is none", trace);
    return true;
}

int add_main(int argc, char *const *argv)
{
    struct add_config config;
    struct option_list words;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &words);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    log_init("abacus-cli", LOG_WARN, LOG_FORMAT_AUTO);
    Abacus__V1__AddRequest request = ABACUS__V1__ADD_REQUEST__INIT;
    struct add_call call;
    struct err err;
    if (!arguments_parse(&config, &words, &request, &call.address, &err)) {
        fprintf(stderr, "add: %s\n", err.text);
        return CLI_UNKNOWN;
    }
    const struct uuid instance = uuid_random();
    trace_start(&(struct trace_config){.service = "abacus-cli", .instance = instance.text});
    call_run(&config, &request, &call);
    const int code = report(&config, &request, &call);
    trace_stop(TRACE_STOP_MS);
    grpc_answer_clear(&call.answer);
    return code;
}
