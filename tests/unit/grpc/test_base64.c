// SPDX-License-Identifier: Apache-2.0
#include "grpc/base64.h"

#include "unit.h"

#include <string.h>

static void bytes_are_written_without_padding_and_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } table[] = {
        // RFC 4648 §10, without the padding
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes text = {0}, plain = {0};
        grpc_base64_encode(&text, table[i].plain, strlen(table[i].plain));
        EXPECT(text.length == strlen(table[i].text) &&
                   (text.length == 0 || memcmp(text.data, table[i].text, text.length) == 0),
               "\"%s\": got \"%.*s\"", table[i].plain, (int)text.length, (char *)text.data);
        assert_true(grpc_base64_decode(&plain, table[i].text, strlen(table[i].text)));
        EXPECT(plain.length == strlen(table[i].plain) &&
                   memcmp(plain.data, table[i].plain, plain.length) == 0,
               "\"%s\": read back wrongly", table[i].text);
        bytes_clear(&text);
        bytes_clear(&plain);
    }
}

static void text_is_read_with_padding_too_and_only_if_it_is_base64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        size_t length;
    } table[] = {
        {"Zg==", true, 1},
        {"Zm8=", true, 2},
        {"Zm9vYg==", true, 4},
        {"Z", false, 0},
        {"Zg=", false, 0},
        {"Zg===", false, 0},
        {"====", false, 0},
        {"=", false, 0},
        {"Zm9v=", false, 0},
        {"Zg==Zg==", false, 0},
        {"Zm-_", false, 0} /* the URL alphabet is another one */,
        {"Zm 9v", false, 0},
        {"Zm9v\n", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes plain = {0};
        const bool ok = grpc_base64_decode(&plain, table[i].text, strlen(table[i].text));
        EXPECT(ok == table[i].ok, "\"%s\": %s", table[i].text, ok ? "taken" : "refused");
        EXPECT(!ok || plain.length == table[i].length, "\"%s\": %zu bytes", table[i].text,
               plain.length);
        bytes_clear(&plain);
    }
}

static void what_is_decoded_is_appended(void **state)
{
    (void)state;
    struct bytes plain = {0};
    bytes_append_text(&plain, "a");
    assert_true(grpc_base64_decode(&plain, "Yg", 2));
    assert_int_equal(plain.length, 2);
    assert_memory_equal(plain.data, "ab", 2);
    bytes_clear(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_written_without_padding_and_read_back),
        cmocka_unit_test(text_is_read_with_padding_too_and_only_if_it_is_base64),
        cmocka_unit_test(what_is_decoded_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
