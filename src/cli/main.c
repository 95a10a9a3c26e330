// SPDX-License-Identifier: Apache-2.0
// abacus-cli: finds the command and runs it.
#include "base/stop.h"
#include "base/version.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"add", "adds two integers", add_main},
    {"total", "shows the running total, once or as it changes", total_main},
    {"load", "adds as fast as asked for, measures, and looks for what was lost", load_main},
    {"check", "compares what adders committed with what totals counted", check_main},
    {"journey", "shows one event on its way: in Kafka and in the ledger", journey_main},
    {"trace", "shows one trace as a tree and time line", trace_main},
    {"probe", "asks a service whether it is healthy, for containers", probe_main},
    {"broker", "runs a small Kafka broker in memory, for trying things out", broker_main},
};

static void print_help(FILE *to)
{
    fprintf(to, "Usage: abacus-cli COMMAND [OPTION]... [ARGUMENT]...\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].text);
    fprintf(to, "\nabacus-cli COMMAND --help tells more about a command.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_UNKNOWN;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("abacus-cli %s\n", ABACUS_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            stop_init();
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "abacus-cli: no command \"%s\" (see abacus-cli --help)\n", argv[1]);
    return CLI_UNKNOWN;
}
