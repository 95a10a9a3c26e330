// SPDX-License-Identifier: Apache-2.0
#include "adder/config.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) .offset = offsetof(struct adder_config, name)
#define PORT_MAX    65535

static const struct option table[] = {
    {"grpc-address", OPTION_TEXT, FIELD(grpc_address), "127.0.0.1",
     .text = "Where the gRPC service listens; 0.0.0.0 or :: for everywhere."},
    {"grpc-port", OPTION_INT, FIELD(grpc_port), "50051", 0, PORT_MAX,
     .text = "Its port; 0 takes a free one, which the log names."},
    {"admin-address", OPTION_TEXT, FIELD(admin_address), "127.0.0.1",
     .text = "Where /healthz, /readyz, /source and /replay listen."},
    {"admin-port", OPTION_INT, FIELD(admin_port), "9464", 0, PORT_MAX,
     .text = "Their port; 0 takes a free one."},
    {"io-threads", OPTION_INT, FIELD(io_threads), "1", 1, 64,
     .text = "Event loops for gRPC; one serves a few hundred thousand calls a second."},
    {"outbox", OPTION_TEXT, FIELD(outbox), "abacus-outbox.db",
     .text = "The SQLite file that holds the outbox; made when missing."},
    {"queue-max", OPTION_INT, FIELD(queue_max), "16384", 1, 10000000, .unit = "ADDS",
     .text = "Adds that may wait for the disk before more are refused …"},
    {"queue-wait-max-ms", OPTION_INT, FIELD(queue_wait_max_ms), "200", 1, 3600000, .unit = "MS",
     .text = "… and fewer, at least 2048, when the disk is so slow that they would wait longer."},
    {"backlog-max", OPTION_INT, FIELD(backlog_max), "10000000", 0, INT64_MAX, .unit = "ROWS",
     .text = "Rows that may wait for Kafka before adds are refused; 0: as many as the disk takes."},
    {"retention-rows", OPTION_INT, FIELD(retention_rows), "1000000", 0, INT64_MAX, .unit = "ROWS",
     .text = "Published rows kept for request ids and replay, at most so many …"},
    {"retention-s", OPTION_INT, FIELD(retention_s), "86400", 0, INT32_MAX, .unit = "S",
     .text = "… and no older than this."},
    {"kafka-bootstrap-servers", OPTION_TEXT, FIELD(kafka_bootstrap_servers), "127.0.0.1:9092",
     .text = "Kafka brokers, HOST:PORT separated by commas."},
    {"kafka-topic", OPTION_TEXT, FIELD(kafka_topic), "abacus.sums",
     .text = "Where events go; created when missing."},
    {"kafka-topic-partitions", OPTION_INT, FIELD(kafka_topic_partitions), "4", 1, 10000,
     .text = "Partitions of the topic if it must be created."},
    {"kafka-topic-replication", OPTION_INT, FIELD(kafka_topic_replication), "1", 1, 100,
     .text = "Its replication factor then; 3 in production."},
    {"kafka-property", OPTION_LIST, FIELD(kafka_properties), .unit = "KEY=VALUE",
     .text = "Any librdkafka property, e.g. security.protocol=SASL_SSL; may be repeated."},
    {"grpc-streams-max", OPTION_INT, FIELD(grpc_streams_max), "256", 1, 100000,
     .text = "Open calls a connection."},
    {"grpc-connections-max", OPTION_INT, FIELD(grpc_connections_max), "10000", 1, 1000000,
     .text = "Open connections."},
    // gRPC's usual 4 MiB, all of it fields that nobody knows, would take 180 MB to unpack.
    {"grpc-message-bytes-max", OPTION_INT, FIELD(grpc_message_bytes_max), "65536", 1024, 4194304,
     .unit = "BYTES", .text = "The largest request; an add needs a hundred."},
    {"grpc-ping-interval-min-ms", OPTION_INT, FIELD(grpc_ping_interval_min_ms), "10000", 1,
     INT32_MAX, .unit = "MS", .text = "Clients that ping more often are sent away."},
    {"grpc-resets-per-s", OPTION_INT, FIELD(grpc_resets_per_s), "330", 1, 1000000,
     .text = "Cancelled calls a second that a connection may go on with; bursts of 1000 pass."},
    {"grpc-connection-age-max-ms", OPTION_INT, FIELD(grpc_connection_age_max_ms), "0", 0, INT32_MAX,
     .unit = "MS",
     .text = "Then a connection is ended gracefully, so that clients rebalance; 0: never."},
    {"grpc-connection-idle-max-ms", OPTION_INT, FIELD(grpc_connection_idle_max_ms), "0", 0,
     INT32_MAX, .unit = "MS", .text = "The same for one without calls; 0: never."},
    {"shutdown-grace-ms", OPTION_INT, FIELD(shutdown_grace_ms), "10000", 0, INT32_MAX, .unit = "MS",
     .text = "How long a stop may wait for calls in flight and for Kafka."},
    {"log-level", OPTION_CHOICE, FIELD(log_level), "info", .choices = "debug|info|warn|error",
     .text = "What is logged."},
    {"log-format", OPTION_CHOICE, FIELD(log_format), "auto", .choices = "auto|text|json",
     .text = "auto: text on a terminal, else one JSON object a line."},
    {"from", OPTION_INT, FIELD(from), "0", 0, INT64_MAX, .unit = "SEQUENCE",
     .text = "For the command replay: the first sequence to publish again."},
};

static const struct options_usage usage = {
    .program = "abacus-adder",
    .synopsis = "[replay --from SEQUENCE | backup] [OPTION]...",
    .purpose = "Adds integers over gRPC, commits each sum to an outbox and relays it to Kafka.\n"
               "replay: publishes an outbox's rows again, while no adder runs on it, and ends.\n"
               "backup: writes a copy of the outbox to standard output, also while an adder runs.",
    .positional_max = 1,
};

static enum options_outcome usage_error(const char *text)
{
    fprintf(stderr, "%s: %s (see %s --help)\n", usage.program, text, usage.program);
    return OPTIONS_EXIT_USAGE;
}

enum options_outcome adder_config_read(struct adder_config *config, int argc, char *const *argv)
{
    struct option_list words;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, config, &words);
    if (outcome != OPTIONS_RUN)
        return outcome;
    config->replay = words.count > 0 && strcmp(words.items[0], "replay") == 0;
    config->backup = words.count > 0 && strcmp(words.items[0], "backup") == 0;
    if (words.count > 0 && !config->replay && !config->backup)
        return usage_error("the commands are replay and backup");
    if (config->backup && isatty(STDOUT_FILENO))
        return usage_error("backup writes to standard output: send that to a file");
    if (config->replay != (config->from > 0))
        return usage_error("replay and --from SEQUENCE (1 or more) go together");
    log_init("abacus-adder", (enum log_level)config->log_level,
             (enum log_format)config->log_format);
    options_log(table, COUNT_OF(table), config);
    return OPTIONS_RUN;
}
