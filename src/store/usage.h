// SPDX-License-Identifier: Apache-2.0
// How much room a store file takes and how much its disk has, for metrics. By the file's name, not
// by a connection, so that any thread may ask while another one writes.
#ifndef ABACUS_STORE_USAGE_H
#define ABACUS_STORE_USAGE_H

#include "base/base.h"

struct store_usage {
    int64_t file_bytes, wal_bytes; // 0: not there
    int64_t disk_free_bytes, disk_size_bytes;
};

// False: nobody can say, e.g. the disk is gone.
MUST_USE bool store_usage(const char *path, struct store_usage *out);

#endif
