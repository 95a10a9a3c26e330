// SPDX-License-Identifier: Apache-2.0
// The configuration of abacus-totals: one table of options (base/options.h). Main thread.
#ifndef ABACUS_TOTALS_CONFIG_H
#define ABACUS_TOTALS_CONFIG_H

#include "base/options.h"

struct totals_config {
    const char *http_address, *admin_address;
    int64_t http_port, http_threads, admin_port;
    const char *ledger; // file
    const char *kafka_bootstrap_servers, *kafka_topic, *kafka_dead_letter_topic, *kafka_group;
    int64_t kafka_topic_partitions, kafka_topic_replication;
    struct option_list kafka_properties;
    int64_t shutdown_grace_ms;
    int trace_consumer; // enum trace_shape
    int log_level, log_format;
    bool backup; // the command
};

// Reads, starts the log and logs the configuration. Anything but OPTIONS_RUN: the program ends.
MUST_USE enum options_outcome totals_config_read(struct totals_config *config, int argc,
                                                 char *const *argv);

#endif
