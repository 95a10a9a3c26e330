// SPDX-License-Identifier: Apache-2.0
#include "telemetry/context.h"

#include <string.h>

// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
// ▲  ▲                                ▲                ▲
// 0  3 trace id                       36 parent id     53 flags
#define TRACE_AT       3
#define TRACE_LENGTH   32
#define PARENT_AT      36
#define PARENT_LENGTH  16
#define FLAGS_AT       53
#define FLAGS_LENGTH   2
#define VERSION_LENGTH 2

static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        const bool letter = text[i] >= 'a' && text[i] <= 'f'; // upper case is not allowed
        if (!digit && !letter)
            return false;
    }
    return true;
}

static bool is_id(const char *text, size_t length)
{
    bool zero = true;
    for (size_t i = 0; i < length; i++)
        zero = zero && text[i] == '0';
    return is_hex(text, length) && !zero;
}

// What we pass on is of version 00, which knows two flags: sampled and random-trace-id. The others
// must be zero.
static char known_flags(char low_digit)
{
    const int value = low_digit <= '9' ? low_digit - '0' : low_digit - 'a' + 10;
    return (char)('0' + (value & 3));
}

static bool is_valid(const char *text, size_t length)
{
    if (length < TRACEPARENT_LENGTH || !is_hex(text, VERSION_LENGTH) || memcmp(text, "ff", 2) == 0)
        return false;
    // Version 00 ends here; a later one may go on after a dash (section 4.3).
    if (length > TRACEPARENT_LENGTH &&
        (memcmp(text, "00", VERSION_LENGTH) == 0 || text[TRACEPARENT_LENGTH] != '-'))
        return false;
    return text[TRACE_AT - 1] == '-' && is_id(text + TRACE_AT, TRACE_LENGTH) &&
           text[PARENT_AT - 1] == '-' && is_id(text + PARENT_AT, PARENT_LENGTH) &&
           text[FLAGS_AT - 1] == '-' && is_hex(text + FLAGS_AT, FLAGS_LENGTH);
}

bool trace_context_parse(const char *text, size_t length, struct trace_context *out)
{
    out->traceparent[0] = '\0';
    while (length > 0 && (text[0] == ' ' || text[0] == '\t'))
        text++, length--;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (!is_valid(text, length))
        return false;
    memcpy(out->traceparent, text, TRACEPARENT_LENGTH);
    memcpy(out->traceparent, "00", VERSION_LENGTH);
    out->traceparent[FLAGS_AT] = '0';
    out->traceparent[FLAGS_AT + 1] = known_flags(text[FLAGS_AT + 1]);
    out->traceparent[TRACEPARENT_LENGTH] = '\0';
    return true;
}
