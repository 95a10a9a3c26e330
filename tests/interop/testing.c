// SPDX-License-Identifier: Apache-2.0
#include "testing.h"

#include "streaming.pb-c.h"
#include "unary.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define RESPONSE_BYTES_MAX (16 * 1024 * 1024) // what a client may ask for

// Custom metadata come back: one name as initial, one as trailing.
static void metadata_echo(struct grpc_call *call, const char *name, enum grpc_metadata_place place)
{
    size_t length;
    const char *value = grpc_call_metadata(call, name, &length);
    if (value != NULL)
        grpc_call_metadata_add(call, place, name, value, length);
}

static void empty_call(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)message, (void)ctx;
    grpc_call_reply(call, NULL, 0);
}

static void metadata_echo_all(struct grpc_call *call)
{
    metadata_echo(call, "x-grpc-test-echo-initial", GRPC_INITIAL);
    metadata_echo(call, "x-grpc-test-echo-trailing-bin", GRPC_TRAILING);
}

// True: a status other than OK was asked for, and the call is over.
static bool status_echo(struct grpc_call *call, const Grpc__Testing__EchoStatus *status)
{
    if (status == NULL || status->code == GRPC_OK)
        return false;
    const bool known = status->code > GRPC_OK && status->code <= GRPC_UNAUTHENTICATED;
    grpc_call_finish(call, known ? (enum grpc_status)status->code : GRPC_INVALID_ARGUMENT,
                     status->message);
    return true;
}

static bool size_sane(struct grpc_call *call, int32_t size)
{
    const bool sane = size >= 0 && size <= RESPONSE_BYTES_MAX;
    if (!sane)
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "an answer of that size is not given");
    return sane;
}

static void malformed(struct grpc_call *call)
{
    grpc_call_finish(call, GRPC_INTERNAL, "the request is not what its method takes");
}

static void simple_reply(struct grpc_call *call, const Grpc__Testing__SimpleRequest *request)
{
    Grpc__Testing__SimpleResponse response = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    const size_t length = (size_t)request->response_size;
    payload.body = (ProtobufCBinaryData){length, xcalloc(1, length + 1)};
    response.payload = &payload;
    if (request->fill_server_id)
        response.server_id = (char *)(uintptr_t) "abacus";
    const size_t packed_bytes = grpc__testing__simple_response__get_packed_size(&response);
    uint8_t *packed = xmalloc(packed_bytes);
    grpc__testing__simple_response__pack(&response, packed);
    grpc_call_reply(call, packed, packed_bytes);
    free(packed);
    free(payload.body.data);
}

static void unary_call(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    Grpc__Testing__SimpleRequest *request =
        grpc__testing__simple_request__unpack(NULL, message.length, message.data);
    if (request == NULL) {
        malformed(call);
        return;
    }
    metadata_echo_all(call);
    if (!status_echo(call, request->response_status) && size_sane(call, request->response_size))
        simple_reply(call, request);
    grpc__testing__simple_request__free_unpacked(request, NULL);
}

// False: the call is over.
static bool stream_send(struct grpc_call *call, int32_t size)
{
    if (!size_sane(call, size))
        return false;
    Grpc__Testing__StreamingOutputCallResponse response =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    payload.body = (ProtobufCBinaryData){(size_t)size, xcalloc(1, (size_t)size + 1)};
    response.payload = &payload;
    const size_t packed_bytes =
        grpc__testing__streaming_output_call_response__get_packed_size(&response);
    uint8_t *packed = xmalloc(packed_bytes);
    grpc__testing__streaming_output_call_response__pack(&response, packed);
    const bool ok = grpc_call_send(call, packed, packed_bytes);
    free(packed);
    free(payload.body.data);
    return ok;
}

// False: the call is over.
static bool output_call(struct grpc_call *call, struct grpc_slice message)
{
    Grpc__Testing__StreamingOutputCallRequest *request =
        grpc__testing__streaming_output_call_request__unpack(NULL, message.length, message.data);
    if (request == NULL) {
        malformed(call);
        return false;
    }
    bool *begun = grpc_call_state(call);
    if (!*begun)
        metadata_echo_all(call);
    *begun = true;
    bool ok = !status_echo(call, request->response_status);
    for (size_t i = 0; ok && i < request->n_response_parameters; i++)
        ok = stream_send(call, request->response_parameters[i]->size);
    grpc__testing__streaming_output_call_request__free_unpacked(request, NULL);
    return ok;
}

static void streaming_output_call(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    if (output_call(call, message))
        grpc_call_finish(call, GRPC_OK, "");
}

static void full_duplex_call(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    (void)output_call(call, message);
}

static void full_duplex_end(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    grpc_call_finish(call, GRPC_OK, "");
}

static void streaming_input_call(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    int32_t *sum = grpc_call_state(call);
    Grpc__Testing__StreamingInputCallRequest *request =
        grpc__testing__streaming_input_call_request__unpack(NULL, message.length, message.data);
    if (request == NULL) {
        malformed(call);
        return;
    }
    *sum += request->payload != NULL ? (int32_t)request->payload->body.len : 0;
    grpc__testing__streaming_input_call_request__free_unpacked(request, NULL);
}

static void streaming_input_end(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    const int32_t *sum = grpc_call_state(call);
    Grpc__Testing__StreamingInputCallResponse response =
        GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;
    response.aggregated_payload_size = *sum;
    uint8_t packed[16]; // a tag and a number
    const size_t length = grpc__testing__streaming_input_call_response__pack(&response, packed);
    if (grpc_call_send(call, packed, length))
        grpc_call_finish(call, GRPC_OK, "");
}

void testing_methods(struct grpc_method *out)
{
    const struct grpc_method methods[TESTING_METHODS] = {
        {.path = "/grpc.testing.TestService/EmptyCall", .on_message = empty_call},
        {.path = "/grpc.testing.TestService/UnaryCall", .on_message = unary_call},
        {.path = "/grpc.testing.TestService/StreamingOutputCall",
         .kind = GRPC_SERVER_STREAM,
         .state_bytes = sizeof(bool),
         .on_message = streaming_output_call},
        {.path = "/grpc.testing.TestService/StreamingInputCall",
         .kind = GRPC_BIDI_STREAM, // one answer, after the last request
         .state_bytes = sizeof(int32_t),
         .on_message = streaming_input_call,
         .on_half_close = streaming_input_end},
        {.path = "/grpc.testing.TestService/FullDuplexCall",
         .kind = GRPC_BIDI_STREAM,
         .state_bytes = sizeof(bool),
         .on_message = full_duplex_call,
         .on_half_close = full_duplex_end},
    };
    memcpy(out, methods, sizeof(methods));
}
