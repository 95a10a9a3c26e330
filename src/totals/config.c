// SPDX-License-Identifier: Apache-2.0
#include "totals/config.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) .offset = offsetof(struct totals_config, name)
#define PORT_MAX    65535

static const struct option table[] = {
    {"http-address", OPTION_TEXT, FIELD(http_address), "127.0.0.1",
     .text = "Where the REST service listens; 0.0.0.0 or :: for everywhere."},
    {"http-port", OPTION_INT, FIELD(http_port), "8080", 0, PORT_MAX,
     .text = "Its port; 0 takes a free one, which the log names."},
    {"http-threads", OPTION_INT, FIELD(http_threads), "1", 1, 64,
     .text = "Threads for REST; one serves tens of thousands of reads a second."},
    {"admin-address", OPTION_TEXT, FIELD(admin_address), "127.0.0.1",
     .text = "Where /metrics, /healthz and /readyz listen."},
    {"admin-port", OPTION_INT, FIELD(admin_port), "9465", 0, PORT_MAX,
     .text = "Their port; 0 takes a free one."},
    {"ledger", OPTION_TEXT, FIELD(ledger), "abacus-totals.db",
     .text = "The SQLite file that holds the ledger; made when missing."},
    {"kafka-bootstrap-servers", OPTION_TEXT, FIELD(kafka_bootstrap_servers), "127.0.0.1:9092",
     .text = "Kafka brokers, HOST:PORT separated by commas."},
    {"kafka-topic", OPTION_TEXT, FIELD(kafka_topic), "abacus.sums",
     .text = "Where events come from; created when missing."},
    {"kafka-topic-partitions", OPTION_INT, FIELD(kafka_topic_partitions), "4", 1, 10000,
     .text = "Partitions of the topic if it must be created."},
    {"kafka-topic-replication", OPTION_INT, FIELD(kafka_topic_replication), "1", 1, 100,
     .text = "Replication factor of topics that must be created; 3 in production."},
    {"kafka-dead-letter-topic", OPTION_TEXT, FIELD(kafka_dead_letter_topic), "abacus.sums.dlq",
     .text = "Where messages go that are no events of ours; created when missing."},
    {"kafka-group", OPTION_TEXT, FIELD(kafka_group), "abacus-totals",
     .text = "The consumer group."},
    {"kafka-property", OPTION_LIST, FIELD(kafka_properties), .unit = "KEY=VALUE",
     .text = "Any librdkafka property, e.g. security.protocol=SASL_SSL; may be repeated."},
    {"shutdown-grace-ms", OPTION_INT, FIELD(shutdown_grace_ms), "10000", 1, INT32_MAX, .unit = "MS",
     .text = "How long a stop may take before it ends at once, which is safe too."},
    {"trace-consumer", OPTION_CHOICE, FIELD(trace_consumer), "child", .choices = "child|link",
     .text = "How traces go on: child shows each event's processing within the trace of its add; "
             "link makes one trace a batch, with links to the adds."},
    {"log-level", OPTION_CHOICE, FIELD(log_level), "info", .choices = "debug|info|warn|error",
     .text = "What is logged."},
    {"log-format", OPTION_CHOICE, FIELD(log_format), "auto", .choices = "auto|text|json",
     .text = "auto: text on a terminal, else one JSON object a line."},
};

static const struct options_usage usage = {
    .program = "abacus-totals",
    .synopsis = "[backup] [OPTION]...",
    .purpose = "Keeps the running total of all sums that arrive through Kafka and serves it by "
               "REST.\n"
               "backup: writes a copy of the ledger to standard output, also while totals runs.",
    .positional_max = 1,
};

static enum options_outcome usage_error(const char *text)
{
    fprintf(stderr, "%s: %s (see %s --help)\n", usage.program, text, usage.program);
    return OPTIONS_EXIT_USAGE;
}

enum options_outcome totals_config_read(struct totals_config *config, int argc, char *const *argv)
{
    struct option_list words;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, config, &words);
    if (outcome != OPTIONS_RUN)
        return outcome;
    config->backup = words.count > 0;
    if (config->backup && strcmp(words.items[0], "backup") != 0)
        return usage_error("the only command is backup");
    if (config->backup && isatty(STDOUT_FILENO))
        return usage_error("backup writes to standard output: send that to a file");
    log_init("abacus-totals", (enum log_level)config->log_level,
             (enum log_format)config->log_format);
    options_log(table, COUNT_OF(table), config);
    return OPTIONS_RUN;
}
