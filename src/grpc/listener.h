// SPDX-License-Identifier: Apache-2.0
// Listening sockets of which several loops each have one on the same port (SO_REUSEPORT).
#ifndef ABACUS_GRPC_LISTENER_H
#define ABACUS_GRPC_LISTENER_H

#include "base/base.h"
#include "base/err.h"

// Returns a non-blocking listening socket, or -1. *port: 0 is replaced by the one chosen.
// joining: others of this process listen on the port already. If not, a port where anybody
// listens is ERR_BUSY, also when that process would let us join.
MUST_USE int grpc_listen(const char *address, int *port, bool joining, struct err *err);

#endif
