// SPDX-License-Identifier: Apache-2.0
// The listening socket of an HTTP server.
#ifndef ABACUS_TELEMETRY_HTTP_LISTEN_H
#define ABACUS_TELEMETRY_HTTP_LISTEN_H

#include "base/base.h"
#include "base/err.h"

// Returns a non-blocking listening socket, or -1. *port: 0 is replaced by the one chosen.
// ERR_BUSY: the port is taken; ERR_INVALID: there is no such address here.
MUST_USE int http_listen(const char *address, int *port, struct err *err);

#endif
