// SPDX-License-Identifier: Apache-2.0
// The messages that strangers send us: the first byte says which, the rest is parsed as it. What
// parses is packed again, in just the space asked for. (The bytes need not parse: protobuf-c takes
// field number 0 in an overlong form, but not in its own.)
#include "adder.pb-c.h"
#include "health.pb-c.h"
#include "reflection.pb-c.h"

#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *const kinds[] = {
        &abacus__v1__add_request__descriptor,
        &abacus__v1__add_response__descriptor,
        &grpc__health__v1__health_check_request__descriptor,
        &grpc__reflection__v1__server_reflection_request__descriptor,
    };
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *kind = kinds[data[0] % COUNT_OF(kinds)];
    ProtobufCMessage *message = protobuf_c_message_unpack(kind, NULL, size - 1, data + 1);
    if (message == NULL)
        return 0;
    const size_t packed_size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = xmalloc(packed_size > 0 ? packed_size : 1);
    CHECK_INT(protobuf_c_message_pack(message, packed), ==, packed_size);
    protobuf_c_message_free_unpacked(message, NULL);
    free(packed);
    return 0;
}
