// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "unit.h"

#include <string.h>

static void setting_an_error_returns_false_and_keeps_code_and_text(void **state)
{
    (void)state;
    struct err err;
    assert_false(err_set(&err, ERR_BUSY, "held by pid %d", 7));
    assert_int_equal(err.code, ERR_BUSY);
    assert_string_equal(err.text, "held by pid 7");
}

static void each_level_says_what_it_was_doing(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "disk full");
    assert_false(err_prefix(&err, "write %s", "/data/o.db"));
    assert_false(err_prefix(&err, "open outbox"));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_string_equal(err.text, "open outbox: write /data/o.db: disk full");
}

static void long_texts_are_cut_not_overrun(void **state)
{
    (void)state;
    char lots[2 * ERR_TEXT_MAX];
    memset(lots, 'x', sizeof(lots) - 1);
    lots[sizeof(lots) - 1] = '\0';
    struct err err;
    err_set(&err, ERR_INVALID, "%s", lots);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_prefix(&err, "reading");
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "reading: xxx", 12);
    err_prefix(&err, "%s", lots);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "xxxx", 4);
}

static void only_some_codes_are_worth_a_retry(void **state)
{
    (void)state;
    static const struct {
        enum err_code code;
        const char *name;
        bool retriable;
    } table[] = {
        {ERR_INVALID, "invalid", false},
        {ERR_USAGE, "usage", false},
        {ERR_NOT_FOUND, "not_found", false},
        {ERR_EXISTS, "exists", false},
        {ERR_BUSY, "busy", false},
        {ERR_CORRUPT, "corrupt", false},
        {ERR_UNSUPPORTED, "unsupported", false},
        {ERR_EXHAUSTED, "exhausted", true},
        {ERR_UNAVAILABLE, "unavailable", true},
        {ERR_CONFLICT, "conflict", true},
        {ERR_UNKNOWN, "unknown", true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_string_equal(err_name(table[i].code), table[i].name);
        assert_int_equal(err_retriable(table[i].code), table[i].retriable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_returns_false_and_keeps_code_and_text),
        cmocka_unit_test(each_level_says_what_it_was_doing),
        cmocka_unit_test(long_texts_are_cut_not_overrun),
        cmocka_unit_test(only_some_codes_are_worth_a_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
