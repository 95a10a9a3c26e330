// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 80

struct config {
    const char *path;
    int64_t port;
    int format;
    bool verbose;
    struct option_list property;
};

static const struct option table[] = {
    {.name = "path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct config, path),
     .text = "Where it is."},
    {.name = "port-number",
     .type = OPTION_INT,
     .offset = offsetof(struct config, port),
     .fallback = "8080",
     .min = -5,
     .max = 65535,
     .text = "Where it listens."},
    {.name = "format",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct config, format),
     .fallback = "auto",
     .choices = "auto|text|json",
     .text = "How it writes."},
    {.name = "verbose",
     .type = OPTION_FLAG,
     .offset = offsetof(struct config, verbose),
     .text = "Says more."},
    {.name = "property",
     .type = OPTION_LIST,
     .offset = offsetof(struct config, property),
     .text = "Passed through."},
};

// The arguments, separated by spaces, as main would get them; texts live until the next call.
static bool parse(const char *arguments, struct config *config, struct option_list *positional,
                  struct err *err)
{
    static char words[8192];
    char *argv[ARGS_MAX] = {"program"}, *rest = words, *word;
    int argc = 1;
    strncpy(words, arguments, sizeof(words) - 1);
    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word != '\0')
            argv[argc++] = word;
    }
    return options_parse(table, COUNT_OF(table), 3, argc, argv, config, positional, err);
}

static void forget_environment(void)
{
    static const char *const names[] = {"ABACUS_PATH", "ABACUS_PORT_NUMBER", "ABACUS_FORMAT",
                                        "ABACUS_VERBOSE", "ABACUS_PROPERTY"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
}

static void without_arguments_the_defaults_hold(void **state)
{
    (void)state;
    forget_environment();
    struct config config;
    struct option_list positional;
    struct err err;
    memset(&config, 0xff, sizeof(config));
    assert_true(parse("", &config, &positional, &err));
    assert_string_equal(config.path, "");
    assert_int_equal(config.port, 8080);
    assert_int_equal(config.format, 0);
    assert_false(config.verbose);
    assert_int_equal(config.property.count, 0);
    assert_int_equal(positional.count, 0);
}

static void every_type_is_read_with_a_space_or_an_equals_sign(void **state)
{
    (void)state;
    forget_environment();
    static const char *const table_of_arguments[] = {
        "--path /a=b --port-number 1 --format json --verbose --property a=1 --property b=2",
        "--path=/a=b --port-number=1 --format=json --verbose=true --property=a=1 --property=b=2",
    };
    for (size_t i = 0; i < COUNT_OF(table_of_arguments); i++) {
        struct config config;
        struct option_list positional;
        struct err err = {.text = ""};
        EXPECT(parse(table_of_arguments[i], &config, &positional, &err), "%s: %s",
               table_of_arguments[i], err.text);
        assert_string_equal(config.path, "/a=b");
        assert_int_equal(config.port, 1);
        assert_int_equal(config.format, 2);
        assert_true(config.verbose);
        assert_int_equal(config.property.count, 2);
        assert_string_equal(config.property.items[0], "a=1");
        assert_string_equal(config.property.items[1], "b=2");
        assert_int_equal(positional.count, 0);
    }
}

static void what_has_no_dashes_is_positional_and_so_are_negative_numbers(void **state)
{
    (void)state;
    forget_environment();
    static const struct {
        const char *arguments;
        size_t count;
        const char *words[3];
        int64_t port;
    } cases[] = {
        {"2 -3", 2, {"2", "-3"}, 8080},
        {"-9223372036854775808 --port-number -5 7", 2, {"-9223372036854775808", "7"}, -5},
        {"--port-number 1 -- --port-number 2", 2, {"--port-number", "2"}, 1},
        {"- --verbose --", 1, {"-"}, 8080},
        {"--verbose x", 1, {"x"}, 8080}, // a flag takes no word
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config config;
        struct option_list positional;
        struct err err = {.text = ""};
        EXPECT(parse(cases[i].arguments, &config, &positional, &err), "%s: %s", cases[i].arguments,
               err.text);
        EXPECT(positional.count == cases[i].count, "%s: %zu positional, want %zu",
               cases[i].arguments, positional.count, cases[i].count);
        for (size_t w = 0; w < positional.count; w++)
            assert_string_equal(positional.items[w], cases[i].words[w]);
        assert_int_equal(config.port, cases[i].port);
    }
}

static void each_mistake_is_named(void **state)
{
    (void)state;
    forget_environment();
    static const char not_a_port[] = "is not a whole number from -5 to 65535";
    static const struct {
        const char *arguments, *text;
    } cases[] = {
        {"--prot 1", "unknown option --prot"},
        {"--prot=1", "unknown option --prot"},
        {"--por 1", "unknown option --por"},
        {"--=1", "unknown option --"},
        {"-v", "unknown option -v"},
        {"---path x", "unknown option ---path"},
        {"--port-number", "--port-number: needs a value"},
        {"--port-number 65536", not_a_port},
        {"--port-number -6", not_a_port},
        {"--port-number=", not_a_port},
        {"--port-number 1k", not_a_port},
        {"--port-number 99999999999999999999999", not_a_port},
        {"--format xml", "--format: \"xml\" is none of auto|text|json"},
        {"--format auto|text", "--format: \"auto|text\" is none of"},
        {"--format=", "--format: \"\" is none of"},
        {"--verbose=yes", "--verbose: \"yes\" is neither true nor false"},
        {"1 2 3 4", "unexpected argument \"4\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config config;
        struct option_list positional;
        struct err err = {.text = ""};
        EXPECT(!parse(cases[i].arguments, &config, &positional, &err), "%s: was accepted",
               cases[i].arguments);
        assert_int_equal(err.code, ERR_USAGE);
        EXPECT(strstr(err.text, cases[i].text) != NULL, "%s: says \"%s\", want \"%s\"",
               cases[i].arguments, err.text, cases[i].text);
    }
}

static void a_list_holds_so_many_and_no_more(void **state)
{
    (void)state;
    forget_environment();
    char arguments[8000] = "";
    for (int i = 0; i < OPTION_LIST_MAX; i++)
        strncat(arguments, "--property=x ", sizeof(arguments) - strlen(arguments) - 1);
    struct config config;
    struct option_list positional;
    struct err err = {.text = ""};
    EXPECT(parse(arguments, &config, &positional, &err), "%s", err.text);
    assert_int_equal(config.property.count, OPTION_LIST_MAX);
    strncat(arguments, "--property=x", sizeof(arguments) - strlen(arguments) - 1);
    assert_false(parse(arguments, &config, &positional, &err));
    assert_string_equal(err.text, "--property: given more than 64 times");
}

static void the_environment_is_read_and_flags_win_over_it(void **state)
{
    (void)state;
    forget_environment();
    setenv("ABACUS_PATH", "/from/env", 1);
    setenv("ABACUS_PORT_NUMBER", "1", 1);
    setenv("ABACUS_FORMAT", "", 1); // empty is not set
    setenv("ABACUS_VERBOSE", "true", 1);
    struct config config;
    struct option_list positional;
    struct err err = {.text = ""};
    EXPECT(parse("--port-number 2 --verbose=false", &config, &positional, &err), "%s", err.text);
    assert_string_equal(config.path, "/from/env");
    assert_int_equal(config.port, 2);
    assert_int_equal(config.format, 0);
    assert_false(config.verbose);
}

static void a_list_in_the_environment_has_commas_and_flags_add_to_it(void **state)
{
    (void)state;
    forget_environment();
    setenv("ABACUS_PROPERTY", ",a=1,,b=2,", 1);
    static struct config config; // its items live as long as the process
    struct option_list positional;
    struct err err = {.text = ""};
    EXPECT(parse("--property c=3", &config, &positional, &err), "%s", err.text);
    assert_int_equal(config.property.count, 3);
    assert_string_equal(config.property.items[0], "a=1");
    assert_string_equal(config.property.items[1], "b=2");
    assert_string_equal(config.property.items[2], "c=3");
}

static void a_mistake_in_the_environment_names_the_variable(void **state)
{
    (void)state;
    forget_environment();
    setenv("ABACUS_PORT_NUMBER", "http", 1);
    struct config config;
    struct option_list positional;
    struct err err = {.text = ""};
    assert_false(parse("", &config, &positional, &err));
    assert_string_equal(err.text,
                        "environment variable ABACUS_PORT_NUMBER: --port-number: \"http\" is not "
                        "a whole number from -5 to 65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arguments_the_defaults_hold),
        cmocka_unit_test(every_type_is_read_with_a_space_or_an_equals_sign),
        cmocka_unit_test(what_has_no_dashes_is_positional_and_so_are_negative_numbers),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(a_list_holds_so_many_and_no_more),
        cmocka_unit_test(the_environment_is_read_and_flags_win_over_it),
        cmocka_unit_test(a_list_in_the_environment_has_commas_and_flags_add_to_it),
        cmocka_unit_test(a_mistake_in_the_environment_names_the_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
