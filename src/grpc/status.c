// SPDX-License-Identifier: Apache-2.0
#include "grpc/status.h"

static const char *const names[] = {
#define GRPC_STATUS_NAME(name, number) [number] = #name,
    GRPC_STATUSES(GRPC_STATUS_NAME)
#undef GRPC_STATUS_NAME
};

const char *grpc_status_name(int status)
{
    const bool known = status >= 0 && (size_t)status < COUNT_OF(names);
    return names[known ? status : GRPC_UNKNOWN];
}

bool grpc_status_is_server_error(enum grpc_status status)
{
    switch (status) {
    case GRPC_UNKNOWN:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_UNIMPLEMENTED:
    case GRPC_INTERNAL:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

void grpc_message_encode(struct bytes *out, const char *text, size_t length)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        const uint8_t byte = (uint8_t)text[i];
        const char escape[] = {'%', hex[byte >> 4], hex[byte & 15]};
        const bool plain = byte >= 0x20 && byte <= 0x7e && byte != '%';
        bytes_append(out, plain ? &text[i] : escape, plain ? 1 : sizeof(escape));
    }
}

void grpc_message_decode(struct bytes *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const bool room = text[i] == '%' && length - i > 2;
        const int high = room ? hex_digit_value(text[i + 1]) : -1;
        const int low = room ? hex_digit_value(text[i + 2]) : -1;
        const bool escaped = high >= 0 && low >= 0;
        const uint8_t byte = (uint8_t)(escaped ? high << 4 | low : text[i]);
        bytes_append(out, &byte, 1);
        i += escaped ? 2 : 0;
    }
}
