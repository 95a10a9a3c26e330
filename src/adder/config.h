// SPDX-License-Identifier: Apache-2.0
// The adder's options: one row each in config.c. Main thread.
#ifndef ABACUS_ADDER_CONFIG_H
#define ABACUS_ADDER_CONFIG_H

#include "base/options.h"

struct adder_config {
    const char *grpc_address, *admin_address, *outbox;
    int64_t grpc_port, admin_port, io_threads;
    int64_t queue_max, queue_wait_max_ms, backlog_max, retention_rows, retention_s;
    const char *kafka_bootstrap_servers, *kafka_topic;
    int64_t kafka_topic_partitions, kafka_topic_replication;
    struct option_list kafka_properties;
    int64_t grpc_streams_max, grpc_connections_max, grpc_message_bytes_max;
    int64_t grpc_ping_interval_min_ms, grpc_resets_per_s;
    int64_t grpc_connection_age_max_ms, grpc_connection_idle_max_ms;
    int64_t shutdown_grace_ms;
    int log_level, log_format;
    int64_t from;        // of the command replay
    bool replay, backup; // the command, if any
};

// Reads flags and environment, and logs them. Other than OPTIONS_RUN: end the program.
MUST_USE enum options_outcome adder_config_read(struct adder_config *config, int argc,
                                                char *const *argv);

#endif
