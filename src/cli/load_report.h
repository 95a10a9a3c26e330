// SPDX-License-Identifier: Apache-2.0
// What `abacus-cli load` found, for people or for programs, and its exit code.
#ifndef ABACUS_CLI_LOAD_REPORT_H
#define ABACUS_CLI_LOAD_REPORT_H

#include "cli/load_stats.h"

struct load_config {
    const char *adder, *adder_admin, *totals;
    int64_t connections, in_flight, rate, count, duration_s, timeout_ms, wait_s;
    bool request_ids, no_verify;
    int output;
};

struct load_outcome {
    struct load_stats stats;
    int64_t started_mono_ns;
    // unless no_verify
    struct load_gain gain;
    int64_t looked_mono_ns; // when the gain was read
    bool totals_answered;
    struct err trouble; // if they did not
    enum load_verdict verdict;
};

// Prints to standard output.
int load_report(const struct load_config *config, const struct load_outcome *outcome);

// CLI_OK, CLI_FAILED or CLI_UNKNOWN.
int load_exit(const struct load_config *config, const struct load_outcome *outcome);

#endif
