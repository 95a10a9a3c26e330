// SPDX-License-Identifier: Apache-2.0
#include "telemetry/context.h"

#include "base/bytes.h"

#include <string.h>
#include <sys/random.h>

// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
// ▲  ▲                                ▲                ▲
// 0  3 trace id                       36 parent id     53 flags
#define TRACE_AT       3
#define PARENT_AT      36
#define FLAGS_AT       53
#define FLAGS_LENGTH   2
#define VERSION_LENGTH 2

#define RANDOM_DIGITS 14

#define FLAG_SAMPLED 1
#define FLAG_RANDOM \
    2 // the trace id is random in its last 7 bytes at least (level 2, section 3.2.2.5)

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
    return (char)('0' + (hex_digit_value(low_digit) & (FLAG_SAMPLED | FLAG_RANDOM)));
}

static bool is_valid(const char *text, size_t length)
{
    if (length < TRACEPARENT_LENGTH || !is_hex(text, VERSION_LENGTH) || memcmp(text, "ff", 2) == 0)
        return false;
    // Version 00 ends here; a later one may go on after a dash (section 4.3).
    if (length > TRACEPARENT_LENGTH &&
        (memcmp(text, "00", VERSION_LENGTH) == 0 || text[TRACEPARENT_LENGTH] != '-'))
        return false;
    return text[TRACE_AT - 1] == '-' && is_id(text + TRACE_AT, TRACE_ID_LENGTH) &&
           text[PARENT_AT - 1] == '-' && is_id(text + PARENT_AT, SPAN_ID_LENGTH) &&
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

static bool has_flag(const struct trace_context *context, int flag)
{
    return context->traceparent[0] != '\0' && ((context->traceparent[FLAGS_AT + 1] - '0') & flag);
}

bool trace_context_sampled(const struct trace_context *context)
{
    return has_flag(context, FLAG_SAMPLED);
}

struct trace_ids trace_context_ids(const struct trace_context *context)
{
    struct trace_ids ids = {.trace_id = "", .span_id = ""};
    if (context->traceparent[0] != '\0') {
        memcpy(ids.trace_id, context->traceparent + TRACE_AT, TRACE_ID_LENGTH);
        memcpy(ids.span_id, context->traceparent + PARENT_AT, SPAN_ID_LENGTH);
    }
    return ids;
}

uint64_t trace_context_random(const struct trace_context *context)
{
    uint64_t number = 0;
    for (int i = TRACE_AT + TRACE_ID_LENGTH - RANDOM_DIGITS; i < TRACE_AT + TRACE_ID_LENGTH; i++)
        number = number << 4 | (uint64_t)hex_digit_value(context->traceparent[i]);
    return number;
}

static uint64_t rotate_left(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

// xoshiro256++ (Blackman and Vigna), each thread's own and seeded by the kernel: an id must cost
// nanoseconds, since each add may need one, and need not be secret.
static uint64_t random_next(void)
{
    static _Thread_local uint64_t s[4];
    if ((s[0] | s[1] | s[2] | s[3]) == 0)
        CHECK_INT(getrandom(s, sizeof(s), 0), ==, sizeof(s));
    const uint64_t result = rotate_left(s[0] + s[3], 23) + s[0], shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

// 16 hexadecimal digits, never all zero: that is no id.
static void random_digits(char *out)
{
    uint64_t number;
    do
        number = random_next();
    while (number == 0);
    for (int i = 0; i < 16; i++, number <<= 4)
        out[i] = "0123456789abcdef"[number >> 60];
}

struct trace_context trace_context_make(const struct trace_context *parent, bool sampled)
{
    struct trace_context made = {"00-"};
    const bool root = parent->traceparent[0] == '\0';
    if (root) {
        random_digits(made.traceparent + TRACE_AT);
        random_digits(made.traceparent + TRACE_AT + TRACE_ID_LENGTH / 2);
    } else {
        memcpy(made.traceparent + TRACE_AT, parent->traceparent + TRACE_AT, TRACE_ID_LENGTH);
    }
    made.traceparent[PARENT_AT - 1] = '-';
    random_digits(made.traceparent + PARENT_AT);
    made.traceparent[FLAGS_AT - 1] = '-';
    const int random = root || has_flag(parent, FLAG_RANDOM) ? FLAG_RANDOM : 0;
    made.traceparent[FLAGS_AT] = '0';
    made.traceparent[FLAGS_AT + 1] = (char)('0' + (random | (sampled ? FLAG_SAMPLED : 0)));
    made.traceparent[TRACEPARENT_LENGTH] = '\0';
    return made;
}
