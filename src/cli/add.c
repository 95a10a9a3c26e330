// SPDX-License-Identifier: Apache-2.0
// abacus-cli add A B: one call of abacus.v1.Adder/Add.
#include "base/int128.h"
#include "cli/address.h"
#include "cli/cli.h"
#include "grpc/client.h"
#include "telemetry/context.h"

#include "adder.pb-c.h"
#include "error_subset.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES_MAX 4096

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

static void call(const struct add_config *config, const struct address *address,
                 const Abacus__V1__AddRequest *request, struct grpc_answer *answer)
{
    uint8_t bytes[REQUEST_BYTES_MAX];
    const struct grpc_call_spec spec = {
        .path = "/abacus.v1.Adder/Add",
        .message = {bytes, abacus__v1__add_request__pack(request, bytes)},
        .timeout_ms = config->timeout_ms,
        .traceparent = config->traceparent[0] == '\0' ? NULL : config->traceparent,
    };
    grpc_call_blocking(address->host, address->port, &spec, answer);
}

// The reason of the ErrorInfo (AIP-193) as " (REASON)", or nothing.
static void print_reason(FILE *to, const struct bytes *details)
{
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details->length, details->data);
    for (size_t i = 0; status != NULL && i < status->n_details; i++) {
        const Google__Rpc__Any *any = status->details[i];
        if (strcmp(any->type_url, "type.googleapis.com/google.rpc.ErrorInfo") != 0)
            continue;
        Google__Rpc__ErrorInfo *info =
            google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
        if (info != NULL)
            fprintf(to, " (%s)", info->reason);
        google__rpc__error_info__free_unpacked(info, NULL);
    }
    google__rpc__status__free_unpacked(status, NULL);
}

static int report_failure(const struct grpc_answer *answer)
{
    fprintf(stderr, "add: %s: %.*s", grpc_status_name((int)answer->status),
            (int)answer->text.length, (const char *)answer->text.data);
    print_reason(stderr, &answer->details);
    fprintf(stderr, "\n");
    return CLI_FAILED;
}

static void print_json(const Abacus__V1__AddRequest *request,
                       const Abacus__V1__AddResponse *response)
{
    struct bytes line = {0};
    bytes_printf(&line, "{\"a\":\"%" PRId64 "\",\"b\":\"%" PRId64 "\",\"sum\":\"%" PRId64 "\"",
                 request->a, request->b, response->sum);
    bytes_append_text(&line, ",\"source\":");
    bytes_append_json_string(&line, response->source, strlen(response->source));
    bytes_printf(&line, ",\"sequence\":\"%" PRId64 "\"}", response->sequence);
    puts((const char *)line.data);
    bytes_clear(&line);
}

static int report(const struct add_config *config, const Abacus__V1__AddRequest *request,
                  const struct grpc_answer *answer)
{
    if (answer->status != GRPC_OK)
        return report_failure(answer);
    Abacus__V1__AddResponse *response =
        abacus__v1__add_response__unpack(NULL, answer->message.length, answer->message.data);
    if (response == NULL) {
        fprintf(stderr, "add: the answer is no abacus.v1.AddResponse\n");
        return CLI_FAILED;
    }
    if (config->output == CLI_JSON)
        print_json(request, response);
    else
        printf("%" PRId64 " + %" PRId64 " = %" PRId64 "  (source %s, sequence %" PRId64 ")\n",
               request->a, request->b, response->sum, response->source, response->sequence);
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
    Abacus__V1__AddRequest request = ABACUS__V1__ADD_REQUEST__INIT;
    struct address address;
    struct err err;
    if (!arguments_parse(&config, &words, &request, &address, &err)) {
        fprintf(stderr, "add: %s\n", err.text);
        return CLI_UNKNOWN;
    }
    struct grpc_answer answer;
    call(&config, &address, &request, &answer);
    const int code = report(&config, &request, &answer);
    grpc_answer_clear(&answer);
    return code;
}
