// SPDX-License-Identifier: Apache-2.0
// "HOST:PORT", "[::1]:PORT": where a gRPC service is. Pure.
#ifndef ABACUS_CLI_ADDRESS_H
#define ABACUS_CLI_ADDRESS_H

#include "base/base.h"
#include "base/err.h"

struct address {
    char host[256]; // without brackets
    char port[6];
};

// option: the name of the option it came from. ERR_USAGE: names it.
MUST_USE bool address_parse(struct address *out, const char *option, const char *text,
                            struct err *err);

#endif
