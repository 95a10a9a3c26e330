// SPDX-License-Identifier: Apache-2.0
// cli: abacus-cli, the services' clients in one program: one command a file, one table of them.
// Reading order: cli.h, main.c, add.c (the simplest command), http_get.h and services.h (what the
// services say of themselves), verdict.h and check.c, load_engine.h and load.c, trace_tree.h and
// trace.c.
// Uses base, grpc, telemetry (context), kafka, event: what any stranger could use, never the
// services' insides.
#ifndef ABACUS_CLI_CLI_H
#define ABACUS_CLI_CLI_H

#include "base/base.h"
#include "base/options.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,  // the answer is no: refused, lost, unhealthy
    CLI_UNKNOWN = 2, // could not tell; also a mistake in the arguments
};

// run: argv[0] is the command's name; gives the exit code.
struct command {
    const char *name;
    const char *text; // one line for --help
    int (*run)(int argc, char *const *argv);
};

int add_main(int argc, char *const *argv);
int total_main(int argc, char *const *argv);
int load_main(int argc, char *const *argv);
int check_main(int argc, char *const *argv);
int journey_main(int argc, char *const *argv);
int trace_main(int argc, char *const *argv);
int probe_main(int argc, char *const *argv);
int broker_main(int argc, char *const *argv);

// For every command that can speak to people and to programs.
enum cli_output { CLI_TEXT, CLI_JSON };
#define CLI_OUTPUT_OPTION(field)                                                                \
    {                                                                                           \
        "output", OPTION_CHOICE, .offset = (field), .fallback = "text", .choices = "text|json", \
                                 .text = "For people, or one JSON document for programs."       \
    }

// What a command returns when options_read gave anything but OPTIONS_RUN.
static inline int cli_exit_of(enum options_outcome outcome)
{
    return outcome == OPTIONS_EXIT_OK ? CLI_OK : CLI_UNKNOWN;
}

#endif
