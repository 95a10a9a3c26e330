// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 256
#define UTF8_TAIL_MAX  3 // bytes of a character after its first

void bytes_clear(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

void bytes_reset(struct bytes *b)
{
    b->length = 0;
}

uint8_t *bytes_reserve(struct bytes *b, size_t more)
{
    CHECK(more < SIZE_MAX / 4 && b->length <= b->capacity);
    if (b->capacity - b->length < more + 1) {
        size_t capacity = b->capacity > 0 ? b->capacity : CAPACITY_FIRST;
        while (capacity - b->length < more + 1)
            capacity *= 2;
        b->data = xrealloc(b->data, capacity);
        b->capacity = capacity;
    }
    return b->data + b->length;
}

void bytes_append(struct bytes *b, const void *data, size_t length)
{
    uint8_t *at = bytes_reserve(b, length);
    if (length > 0)
        memcpy(at, data, length);
    at[length] = '\0';
    b->length += length;
}

void bytes_append_text(struct bytes *b, const char *text)
{
    bytes_append(b, text, strlen(text));
}

void bytes_printf(struct bytes *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK_INT(length, >=, 0);
    vsnprintf((char *)bytes_reserve(b, (size_t)length), (size_t)length + 1, fmt, again);
    va_end(again);
    b->length += (size_t)length;
}

static size_t utf8_length_of_first(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0; // a continuation, an overlong form of ASCII, or above U+10FFFF
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t bytes_utf8_length(const uint8_t *text, size_t left)
{
    const uint8_t first = text[0];
    const size_t length = utf8_length_of_first(first);
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    const bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    const bool surrogate = first == 0xed && text[1] >= 0xa0;
    const bool too_high = first == 0xf4 && text[1] >= 0x90;
    return overlong || surrogate || too_high ? 0 : length;
}

size_t bytes_utf8_cut(const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);
    if (length <= max)
        return length;
    length = max;
    for (int back = 0; back < UTF8_TAIL_MAX && ((uint8_t)text[length] & 0xc0) == 0x80; back++)
        length--;
    return length;
}

// On a terminal the others would be obeyed: C0, DEL, and C1, which UTF-8 writes in two bytes.
static bool is_printable(const uint8_t *at, size_t length)
{
    const bool c1 = length == 2 && at[0] == 0xc2 && at[1] < 0xa0;
    return length > 0 && *at >= 0x20 && *at != 0x7f && !c1;
}

void bytes_append_json_string(struct bytes *b, const char *text, size_t length)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    bytes_append(b, "\"", 1);
    while (at < end) {
        const size_t n = bytes_utf8_length(at, (size_t)(end - at));
        if (n == 0)
            bytes_append_text(b, "\\ufffd");
        else if (!is_printable(at, n))
            bytes_printf(b, "\\u%04x", (unsigned)at[n - 1]);
        else if (*at == '"' || *at == '\\')
            bytes_printf(b, "\\%c", *at);
        else
            bytes_append(b, at, n);
        at += n == 0 ? 1 : n;
    }
    bytes_append(b, "\"", 1);
}

void bytes_append_printable(struct bytes *b, const char *text, size_t length)
{
    bytes_append_text(b, "");
    while (length > 0) {
        const uint8_t *at = (const uint8_t *)text;
        const size_t n = bytes_utf8_length(at, length), step = n == 0 ? 1 : n;
        if (is_printable(at, n))
            bytes_append(b, at, n);
        else
            bytes_append_text(b, " ");
        text += step;
        length -= step;
    }
}
