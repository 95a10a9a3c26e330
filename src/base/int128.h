// SPDX-License-Identifier: Apache-2.0
// 128-bit integers as decimal text: totals never wrap (2^63 sums of 2^63 fit), and ProtoJSON writes
// integers wider than 53 bits as strings. Pure, any thread.
#ifndef ABACUS_BASE_INT128_H
#define ABACUS_BASE_INT128_H

#include "base/base.h"

#define INT128_TEXT_BYTES 41 // sign, 39 digits, end

// Writes the decimal form and returns its length.
size_t int128_format(char out[INT128_TEXT_BYTES], __int128 value);

// Reads an optional '-' and 1 or more digits, nothing else. False: not that, or out of range.
MUST_USE bool int128_parse(const char *text, size_t length, __int128 *value);

// The same for 64 bits.
#define INT64_TEXT_BYTES 21 // sign, 19 digits, end
size_t int64_format(char out[INT64_TEXT_BYTES], int64_t value);
MUST_USE bool int64_parse(const char *text, size_t length, int64_t *value);

#endif
