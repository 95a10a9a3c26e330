// SPDX-License-Identifier: Apache-2.0
// UUIDs (RFC 9562) as lower-case text of 36 characters. Any thread.
#ifndef ABACUS_BASE_UUID_H
#define ABACUS_BASE_UUID_H

#include "base/base.h"

#define UUID_LENGTH 36

struct uuid {
    char text[UUID_LENGTH + 1];
};

// A random one (version 4) from the kernel's generator.
struct uuid uuid_random(void);

// Accepts either case, keeps lower case. False: not 8-4-4-4-12 hexadecimal digits.
MUST_USE bool uuid_parse(const char *text, size_t length, struct uuid *out);

bool uuid_equal(const struct uuid *left, const struct uuid *right);

#endif
