// SPDX-License-Identifier: Apache-2.0
// What every unit test includes: cmocka with the headers it asks for, and one more check.
#ifndef ABACUS_TESTS_UNIT_H
#define ABACUS_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// For tables: EXPECT(got == row->want, "%s: got %d, want %d", row->input, got, row->want) says
// which row is wrong; the message is the reader's first and often only clue.
#define EXPECT(condition, ...)     \
    do {                           \
        if (!(condition))          \
            fail_msg(__VA_ARGS__); \
    } while (0)

#endif
