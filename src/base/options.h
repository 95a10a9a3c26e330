// SPDX-License-Identifier: Apache-2.0
// One table describes a program's options: it parses flags and environment, validates, prints
// --help and the start-up log line. Main thread, before others start.
//
// Option "kafka-topic" is the flag --kafka-topic VALUE (or --kafka-topic=VALUE) and the variable
// ABACUS_KAFKA_TOPIC; the flag wins. Each row writes one field of the program's config struct.
#ifndef ABACUS_BASE_OPTIONS_H
#define ABACUS_BASE_OPTIONS_H

#include "base/base.h"
#include "base/err.h"

#define OPTION_LIST_MAX 64

enum option_type {
    OPTION_TEXT,   // const char *
    OPTION_INT,    // int64_t within min..max
    OPTION_CHOICE, // int: the index of the word in choices ("a|b|c")
    OPTION_FLAG,   // bool; --x means true; the environment takes true or false
    OPTION_LIST,   // struct option_list; may be given many times; environment: separated by commas,
                   // and flags add to it
};

struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

struct option {
    const char *name; // without dashes
    enum option_type type;
    size_t offset;        // of the field in the config struct
    const char *fallback; // default as text; NULL: empty text, no items
    int64_t min, max;     // OPTION_INT
    const char *unit;     // for --help, e.g. "ms"; NULL: none
    const char *choices;  // OPTION_CHOICE
    const char *text;     // one sentence for --help
};

struct options_usage {
    const char *program;   // "abacus-adder"
    const char *synopsis;  // what follows the program's name, e.g. "[OPTION]..."
    const char *purpose;   // one or two sentences
    size_t positional_max; // how many arguments without dashes are taken
};

enum options_outcome { OPTIONS_RUN, OPTIONS_EXIT_OK, OPTIONS_EXIT_USAGE };

// Fills config from defaults, environment and arguments (argv[0] is skipped), positional arguments
// into positional in order. --help and --version print and give OPTIONS_EXIT_OK; a mistake prints
// one line to standard error and gives OPTIONS_EXIT_USAGE: exit code 2. "--" ends the options;
// "-5" is a number, not an option. Texts are borrowed from argv and the environment.
MUST_USE enum options_outcome options_read(const struct option *table, size_t count,
                                           const struct options_usage *usage, int argc,
                                           char *const *argv, void *config,
                                           struct option_list *positional);

// The part without printing, for tests and fuzzing. False: *err names the option.
MUST_USE bool options_parse(const struct option *table, size_t count, size_t positional_max,
                            int argc, char *const *argv, void *config,
                            struct option_list *positional, struct err *err);

// Logs the whole configuration once, on one line; values of names that hold "password" or
// "secret" are left out.
void options_log(const struct option *table, size_t count, const void *config);

#endif
