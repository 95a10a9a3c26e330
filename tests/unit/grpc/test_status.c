// SPDX-License-Identifier: Apache-2.0
#include "grpc/status.h"

#include "unit.h"

#include <string.h>

static void every_number_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(grpc_status_name(0), "OK");
    assert_string_equal(grpc_status_name(4), "DEADLINE_EXCEEDED");
    assert_string_equal(grpc_status_name(16), "UNAUTHENTICATED");
    assert_string_equal(grpc_status_name(17), "UNKNOWN");
    assert_string_equal(grpc_status_name(-1), "UNKNOWN");
}

static void only_what_the_server_did_wrong_is_its_error(void **state)
{
    (void)state;
    static const bool server_error[] = {
        [GRPC_UNKNOWN] = true,          [GRPC_DEADLINE_EXCEEDED] = true,
        [GRPC_UNIMPLEMENTED] = true,    [GRPC_INTERNAL] = true,
        [GRPC_UNAVAILABLE] = true,      [GRPC_DATA_LOSS] = true,
        [GRPC_UNAUTHENTICATED] = false,
    };
    for (size_t i = 0; i < COUNT_OF(server_error); i++)
        EXPECT(grpc_status_is_server_error((enum grpc_status)i) == server_error[i], "%s",
               grpc_status_name((int)i));
}

static void text_is_percent_encoded_and_comes_back(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *wire;
    } table[] = {
        {"", ""},
        {"plain ~ text", "plain ~ text"},
        {"50%", "50%25"},
        {"a\nb\t", "a%0Ab%09"},
        {"h\xc3\xa9", "h%C3%A9"},
        {"\x7f\x1f ", "%7F%1F "},
        // the interop suite's special_status_message
        {"\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
         "\xf0\x9f\x98\x88\t\n",
         "%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP "
         "%F0%9F%98%88%09%0A"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes wire = {0}, plain = {0};
        bytes_append_text(&wire, "");
        bytes_append_text(&plain, "");
        grpc_message_encode(&wire, table[i].plain, strlen(table[i].plain));
        EXPECT(strcmp((char *)wire.data, table[i].wire) == 0, "row %zu: got %s", i,
               (char *)wire.data);
        grpc_message_decode(&plain, table[i].wire, strlen(table[i].wire));
        EXPECT(strcmp((char *)plain.data, table[i].plain) == 0, "row %zu: not read back", i);
        bytes_clear(&wire);
        bytes_clear(&plain);
    }
}

static void what_is_no_escape_is_left_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *wire, *plain;
    } table[] = {{"%", "%"},     {"100%", "100%"}, {"%4", "%4"},   {"%zz", "%zz"},
                 {"%%41", "%A"}, {"%4g1", "%4g1"}, {"%e4", "\xe4"}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes plain = {0};
        grpc_message_decode(&plain, table[i].wire, strlen(table[i].wire));
        EXPECT(strcmp((char *)plain.data, table[i].plain) == 0, "\"%s\": got \"%s\"", table[i].wire,
               (char *)plain.data);
        bytes_clear(&plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_a_name),
        cmocka_unit_test(only_what_the_server_did_wrong_is_its_error),
        cmocka_unit_test(text_is_percent_encoded_and_comes_back),
        cmocka_unit_test(what_is_no_escape_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
