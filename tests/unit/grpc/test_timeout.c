// SPDX-License-Identifier: Apache-2.0
#include "grpc/timeout.h"

#include "base/clock.h"
#include "unit.h"

#include <string.h>

static void digits_and_a_unit_are_a_timeout(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } table[] = {
        {"1n", 1},
        {"5u", 5 * NS_PER_US},
        {"100m", 100 * NS_PER_MS},
        {"10S", 10 * NS_PER_S},
        {"2M", 120 * NS_PER_S},
        {"1H", 3600 * NS_PER_S},
        {"0S", 0},
        {"00000001S", NS_PER_S},
        {"99999999S", 99999999 * NS_PER_S},
        {"99999999H", INT64_MAX}, // more than 292 years
        {"2562048H", INT64_MAX},
        {"2562047H", 2562047 * (3600 * NS_PER_S)},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t ns = -1;
        EXPECT(grpc_timeout_parse(table[i].text, strlen(table[i].text), &ns), "%s: refused",
               table[i].text);
        EXPECT(ns == table[i].ns, "%s: got %lld ns", table[i].text, (long long)ns);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {"",     "S",   "1",   "1s",  "1h",   "-1S",        "+1S",
                                        "1.5S", " 1S", "1S ", "1 S", "0x1S", "123456789S", "1SS"};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int64_t ns;
        EXPECT(!grpc_timeout_parse(table[i], strlen(table[i]), &ns), "\"%s\": taken", table[i]);
    }
}

static void the_finest_unit_that_fits_is_written_rounded_up(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } table[] = {
        {-5, "1n"},
        {0, "1n"},
        {1, "1n"},
        {99999999, "99999999n"},
        {100000000, "100000u"},
        {100000001, "100001u"}, // a deadline never comes early
        {5 * NS_PER_S, "5000000u"},
        {100 * NS_PER_S, "100000m"},
        {INT64_MAX, "2562048H"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[GRPC_TIMEOUT_TEXT_BYTES];
        grpc_timeout_format(text, table[i].ns);
        EXPECT(strcmp(text, table[i].text) == 0, "%lld ns: got %s, want %s", (long long)table[i].ns,
               text, table[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_and_a_unit_are_a_timeout),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_finest_unit_that_fits_is_written_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
