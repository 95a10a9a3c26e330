// SPDX-License-Identifier: Apache-2.0
#include "cli/address.h"

#include "unit.h"

#include <string.h>

static void host_and_port_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port; // host NULL: refused
    } table[] = {
        {"127.0.0.1:50051", "127.0.0.1", "50051"},
        {"adder:1", "adder", "1"},
        {"[::1]:65535", "::1", "65535"},
        {"adder.abacus.svc.cluster.local:50051", "adder.abacus.svc.cluster.local", "50051"},
        {"", NULL, NULL},
        {"127.0.0.1", NULL, NULL},
        {":50051", NULL, NULL},
        {"[]:50051", NULL, NULL},
        {"::1:50051", NULL, NULL},
        {"adder:", NULL, NULL},
        {"adder:0", NULL, NULL},
        {"adder:65536", NULL, NULL},
        {"adder:-1", NULL, NULL},
        {"adder:http", NULL, NULL},
        {"adder:50051 ", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct address got;
        struct err err = {.text = ""};
        const bool ok = address_parse(&got, "adder", table[i].text, &err);
        EXPECT(ok == (table[i].host != NULL), "\"%s\": %s", table[i].text, err.text);
        if (ok) {
            assert_string_equal(got.host, table[i].host);
            assert_string_equal(got.port, table[i].port);
        } else {
            assert_int_equal(err.code, ERR_USAGE);
            assert_non_null(strstr(err.text, "--adder"));
        }
    }
}

static void a_host_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'a', sizeof(text));
    memcpy(text + 300, ":1", 3);
    struct address got;
    struct err err;
    assert_false(address_parse(&got, "adder", text, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port_are_taken_apart),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
