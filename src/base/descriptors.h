// SPDX-License-Identifier: Apache-2.0
// How many files and sockets the process may have open. A shell's usual limit is 1024, less than a
// server has connections; a process may raise it by itself as far as the system allows.
#ifndef ABACUS_BASE_DESCRIPTORS_H
#define ABACUS_BASE_DESCRIPTORS_H

#include "base/base.h"

// What connections leave to files, Kafka and the admin port. Out of descriptors these would fail.
#define DESCRIPTORS_KEPT 256

// Raises the limit as far as it goes. Returns how many connections it allows of those wanted, at
// least 1. Main thread, before others start.
int64_t descriptors_allow(int64_t connections);

#endif
