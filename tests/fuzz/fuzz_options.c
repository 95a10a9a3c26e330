// SPDX-License-Identifier: Apache-2.0
// Command line arguments, one a line: refused with a text, or every value is within its bounds.
#include "base/options.h"

#include "fuzz.h"

#include <stdlib.h>

#define ARGS_MAX 100

struct config {
    const char *text;
    int64_t number;
    int choice;
    bool flag;
    struct option_list list;
};

static const struct option table[] = {
    {.name = "text", .type = OPTION_TEXT, .offset = offsetof(struct config, text), .text = "."},
    {.name = "number",
     .type = OPTION_INT,
     .offset = offsetof(struct config, number),
     .fallback = "1",
     .min = -10,
     .max = 10,
     .text = "."},
    {.name = "choice",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct config, choice),
     .fallback = "a",
     .choices = "a|bc|d",
     .text = "."},
    {.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct config, flag), .text = "."},
    {.name = "list", .type = OPTION_LIST, .offset = offsetof(struct config, list), .text = "."},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    char *argv[ARGS_MAX] = {NULL};
    int argc = 0;
    while (argc < ARGS_MAX && input.at < input.end) {
        const struct fuzz_text line = fuzz_line(&input);
        argv[argc++] = strndup(line.text, line.length);
    }
    struct config config;
    struct option_list positional;
    struct err err = {.text = ""};
    if (options_parse(table, COUNT_OF(table), 5, argc, argv, &config, &positional, &err)) {
        CHECK(config.number >= -10 && config.number <= 10);
        CHECK(config.choice >= 0 && config.choice <= 2);
        CHECK(config.text != NULL && config.list.count <= OPTION_LIST_MAX);
        CHECK(positional.count <= 5);
    } else {
        CHECK(err.code == ERR_USAGE && err.text[0] != '\0');
    }
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return 0;
}
