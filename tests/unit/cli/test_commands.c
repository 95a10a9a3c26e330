// SPDX-License-Identifier: Apache-2.0
// Mistakes in the arguments of each command, as a user meets them: exit code 2, one line that names
// what is wrong.
#include "cli/cli.h"

#include "base/bytes.h"
#include "base/stop.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 16

// A name longer than any topic's.
#define TEN(text) text text text text text text text text text text
#define LONG      TEN(TEN("sixtyx"))

// Runs a command with its standard error in *said.
static int run(int (*command)(int, char *const *), const char *arguments, struct bytes *said)
{
    char *words = strdup(arguments), *rest = words, *word;
    char *argv[ARGS_MAX] = {NULL};
    int argc = 0;
    while ((word = strsep(&rest, " ")) != NULL)
        argv[argc++] = word;
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    const int code = command(argc, argv);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    said->length = fread(bytes_reserve(said, 4096), 1, 4095, file);
    said->data[said->length] = '\0';
    fclose(file);
    free(words);
    return code;
}

static void mistakes_are_named_and_exit_with_2(void **state)
{
    (void)state;
    static const struct {
        int (*command)(int, char *const *);
        const char *arguments, *text;
    } table[] = {
        {add_main, "add", "A is missing"},
        {add_main, "add 1", "B is missing"},
        {add_main, "add x 1", "A: \"x\""},
        {add_main, "add 1 1.5", "B: \"1.5\""},
        {add_main, "add 1 9223372036854775808", "B: \"9223372036854775808\""},
        {add_main, "add -9223372036854775809 1", "A: \"-9223372036854775809\""},
        {add_main, "add 1 2 3", "\"3\""},
        {add_main, "add --adder nowhere 1 2", "--adder"},
        {add_main, "add --output xml 1 2", "--output"},
        {add_main, "add --timeout-ms 0 1 2", "--timeout-ms"},
        {add_main, "add --traceparent 00-1-1-00 1 2", "--traceparent"},
        {total_main, "total --totals nowhere", "\"nowhere/v1/total\""},
        {total_main, "total 5", "\"5\""},
        {load_main, "load --count x", "--count"},
        {load_main, "load --connections 0", "--connections"},
        {load_main, "load --adder :1", "--adder"},
        {load_main, "load --no-such", "--no-such"},
        {check_main, "check --wait-s -1", "--wait-s"},
        {check_main, "check http://127.0.0.1:9464", "http://127.0.0.1:9464"},
        {probe_main, "probe", "--grpc or --http"},
        {probe_main, "probe --grpc x", "--grpc"},
        {probe_main, "probe --http x", "\"x\""},
        {journey_main, "journey", "--source"},
        {journey_main, "journey --source x", "--source"},
        {journey_main, "journey --sequence 0", "--sequence"},
        {journey_main, "journey --source 01234567-89ab-4cde-8f01-23456789abcd --kafka-topic " LONG,
         "--kafka-topic"},
        {broker_main, "broker --topic x", "--topic"},
        {broker_main, "broker --topic x:0", "--topic"},
        {broker_main, "broker --topic :1", "--topic"},
        {broker_main, "broker --port 9092", "--port"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes said = {0};
        const int code = run(table[i].command, table[i].arguments, &said);
        EXPECT(code == CLI_UNKNOWN, "%s: exit code %d", table[i].arguments, code);
        EXPECT(strstr((const char *)said.data, table[i].text) != NULL, "%s: \"%s\" without %s",
               table[i].arguments, (const char *)said.data, table[i].text);
        EXPECT(strchr((const char *)said.data, '\n') == (const char *)said.data + said.length - 1,
               "%s: not one line: \"%s\"", table[i].arguments, (const char *)said.data);
        bytes_clear(&said);
    }
}

// Port 1 of this machine: nobody is there.
static void a_service_that_is_away_is_told_in_one_line(void **state)
{
    (void)state;
    static const struct {
        int (*command)(int, char *const *);
        const char *arguments;
        int code;
    } table[] = {
        {add_main, "add --adder 127.0.0.1:1 2 3", CLI_FAILED},
        {total_main, "total --totals http://127.0.0.1:1", CLI_FAILED},
        {total_main, "total --watch --totals http://127.0.0.1:1", CLI_FAILED},
        {load_main, "load --adder 127.0.0.1:1 --count 1", CLI_UNKNOWN},
        {probe_main, "probe --grpc 127.0.0.1:1", CLI_FAILED},
        {probe_main, "probe --http http://127.0.0.1:1", CLI_FAILED},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes said = {0};
        const int code = run(table[i].command, table[i].arguments, &said);
        EXPECT(code == table[i].code, "%s: exit code %d, want %d", table[i].arguments, code,
               table[i].code);
        EXPECT(said.length > 1 && strchr((const char *)said.data, '\n') ==
                                      (const char *)said.data + said.length - 1,
               "%s: not one line: \"%s\"", table[i].arguments, (const char *)said.data);
        bytes_clear(&said);
    }
}

int main(void)
{
    stop_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named_and_exit_with_2),
        cmocka_unit_test(a_service_that_is_away_is_told_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
