// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes for building messages and text. One thread at a time.
//
//   data ─▶ [ written: length ][ free: capacity - length ]
//
// Invariant: length <= capacity; after any append of text, data[length] is a NUL that does not
// count. Whoever appends bounds the size beforehand; no memory ends the process (base.h).
#ifndef ABACUS_BASE_BYTES_H
#define ABACUS_BASE_BYTES_H

#include "base/base.h"

struct bytes {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

// A zeroed struct bytes is empty and ready. Clear frees the memory; reset keeps it for reuse.
void bytes_clear(struct bytes *b);
void bytes_reset(struct bytes *b);

// Makes room for that many more and returns where they go; the caller then adds to length.
uint8_t *bytes_reserve(struct bytes *b, size_t more);
void bytes_append(struct bytes *b, const void *data, size_t length);
void bytes_append_text(struct bytes *b, const char *text);
void bytes_printf(struct bytes *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Length of the well-formed UTF-8 sequence at text (RFC 3629 §4), 0 if there is none. left: > 0.
size_t bytes_utf8_length(const uint8_t *text, size_t left);

// What a hexadecimal digit of either case stands for; -1: it is none.
static inline int hex_digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// How much of a text to take: at most max bytes, and no part of a character at the end. What is not
// UTF-8 is cut anywhere.
size_t bytes_utf8_cut(const char *text, size_t max);

// The text as a JSON string with its quotes (RFC 8259 §7). Bytes that are not UTF-8 become U+FFFD.
void bytes_append_json_string(struct bytes *b, const char *text, size_t length);

// The text for people, whoever wrote it: control characters, which a terminal would obey (C0, DEL,
// C1), and bytes that are not UTF-8 become blanks.
void bytes_append_printable(struct bytes *b, const char *text, size_t length);

#endif
