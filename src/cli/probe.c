// SPDX-License-Identifier: Apache-2.0
// abacus-cli probe: is a service healthy? For a container's health check: says nothing when it is.
#include "cli/address.h"
#include "cli/cli.h"
#include "cli/http_get.h"
#include "grpc/client.h"

#include "health.pb-c.h"

#include <stdio.h>
#include <string.h>

#define SERVICE_BYTES_MAX 1024

struct probe_config {
    const char *grpc, *service, *http;
    int64_t timeout_ms;
};

#define FIELD(name) .offset = offsetof(struct probe_config, name)
static const struct option table[] = {
    {"grpc", OPTION_TEXT, FIELD(grpc), .unit = "HOST:PORT",
     .text = "Asks grpc.health.v1.Health/Check there; healthy is SERVING."},
    {"service", OPTION_TEXT, FIELD(service), .unit = "NAME",
     .text = "The gRPC service asked about; all of them when empty."},
    {"http", OPTION_TEXT, FIELD(http), .unit = "URL", .text = "Gets this; healthy is status 2xx."},
    {"timeout-ms", OPTION_INT, FIELD(timeout_ms), "2000", 1, INT32_MAX, .unit = "MS",
     .text = "No answer until then is not healthy."},
};

static const struct options_usage usage = {
    .program = "abacus-cli probe",
    .synopsis = "[--grpc HOST:PORT [--service NAME]] [--http URL]",
    .purpose = "Asks a service whether it is healthy.\n"
               "Exit code 0: healthy; 1: not healthy; 2: wrong arguments.",
};

static bool grpc_probe(const struct probe_config *config, struct err *err)
{
    struct address address;
    if (!address_parse(&address, "grpc", config->grpc, err))
        return false;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)config->service;
    uint8_t bytes[SERVICE_BYTES_MAX];
    if (grpc__health__v1__health_check_request__get_packed_size(&request) > sizeof(bytes))
        return err_set(err, ERR_USAGE, "--service: too long");
    const struct grpc_call_spec spec = {
        .path = "/grpc.health.v1.Health/Check",
        .message = {bytes, grpc__health__v1__health_check_request__pack(&request, bytes)},
        .timeout_ms = config->timeout_ms,
    };
    struct grpc_answer answer;
    grpc_call_blocking(address.host, address.port, &spec, &answer);
    Grpc__Health__V1__HealthCheckResponse *response = NULL;
    if (answer.status == GRPC_OK)
        response = grpc__health__v1__health_check_response__unpack(NULL, answer.message.length,
                                                                   answer.message.data);
    const bool serving =
        response != NULL &&
        response->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    if (answer.status != GRPC_OK)
        err_set(err, ERR_UNAVAILABLE, "%s: %s: %.*s", config->grpc,
                grpc_status_name((int)answer.status), (int)answer.text.length,
                (const char *)answer.text.data);
    else if (!serving)
        err_set(err, ERR_UNAVAILABLE, "%s: not serving", config->grpc);
    grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    grpc_answer_clear(&answer);
    return serving;
}

static bool http_probe(const struct probe_config *config, struct err *err)
{
    struct bytes body = {0};
    const bool ok = http_get(&body, config->http, config->timeout_ms, err);
    bytes_clear(&body);
    return ok;
}

int probe_main(int argc, char *const *argv)
{
    struct probe_config config;
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &none);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    struct err err;
    bool healthy = true;
    if (config.grpc[0] == '\0' && config.http[0] == '\0')
        healthy = err_set(&err, ERR_USAGE, "nothing to ask: give --grpc or --http");
    if (healthy && config.grpc[0] != '\0')
        healthy = grpc_probe(&config, &err);
    if (healthy && config.http[0] != '\0')
        healthy = http_probe(&config, &err);
    if (healthy)
        return CLI_OK;
    fprintf(stderr, "probe: %s\n", err.text);
    return err.code == ERR_USAGE ? CLI_UNKNOWN : CLI_FAILED;
}
