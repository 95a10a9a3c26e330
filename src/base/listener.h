// SPDX-License-Identifier: Apache-2.0
// Listening TCP sockets, for gRPC and HTTP alike. Any thread.
#ifndef ABACUS_BASE_LISTENER_H
#define ABACUS_BASE_LISTENER_H

#include "base/base.h"
#include "base/err.h"

enum listener_kind {
    LISTENER_ALONE,   // the port is this socket's
    LISTENER_FIRST,   // others of this process will join it (SO_REUSEPORT): one for each loop
    LISTENER_JOINING, // and these are they
};

// Returns a non-blocking listening socket that the caller owns, or -1. *port: 0 is replaced by the
// one chosen. ERR_BUSY: the port is taken, for LISTENER_FIRST also when whoever has it would let us
// join. ERR_INVALID: no such address here.
MUST_USE int listener_open(const char *address, int *port, enum listener_kind kind,
                           struct err *err);

#endif
