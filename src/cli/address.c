// SPDX-License-Identifier: Apache-2.0
#include "cli/address.h"

#include "base/int128.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool address_parse(struct address *out, const char *option, const char *text, struct err *err)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) != NULL) {
        length = 0; // an IPv6 address without brackets: which colon is the port's?
    }
    int64_t port;
    if (length == 0 || length >= sizeof(out->host) ||
        !int64_parse(colon + 1, strlen(colon + 1), &port) || port < 1 || port > 65535)
        return err_set(err, ERR_USAGE, "--%s: \"%.100s\" is not HOST:PORT", option, text);
    memcpy(out->host, host, length);
    out->host[length] = '\0';
    snprintf(out->port, sizeof(out->port), "%d", (int)port);
    return true;
}
