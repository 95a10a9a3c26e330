// SPDX-License-Identifier: Apache-2.0
// HTTP GET by libcurl: one bounded answer, or an endless one line by line. No redirects, no
// credentials. Blocks; a stop request (stop.h) ends an endless one at once.
#ifndef ABACUS_CLI_HTTP_GET_H
#define ABACUS_CLI_HTTP_GET_H

#include "base/base.h"
#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>

#define HTTP_BODY_BYTES_MAX ((size_t)64 * 1024 * 1024) // a ledger of 200,000 sources
#define HTTP_LINE_BYTES_MAX ((size_t)64 * 1024)

// base + path, where base may end in a slash. Owned: free().
char *url_join(const char *base, const char *path);

// The body of a 2xx answer is appended to *body, which has a NUL behind its end.
// ERR_UNAVAILABLE: no answer in time, or 5xx; ERR_NOT_FOUND: 404; ERR_USAGE: not a URL;
// ERR_INVALID: another status, or larger than HTTP_BODY_BYTES_MAX.
MUST_USE bool http_get(struct bytes *body, const char *url, int64_t timeout_ms, struct err *err);

// *out: owned, json_decref. Further ERR_INVALID: not one JSON object.
MUST_USE bool http_get_json(json_t **out, const char *url, int64_t timeout_ms, struct err *err);

// Calls on_line for each line of the answer, without its end, until the answer ends or a stop is
// requested, then returns true. Errors as above; connecting takes at most timeout_ms, the lines
// may take for ever. ERR_INVALID: a line longer than HTTP_LINE_BYTES_MAX.
MUST_USE bool http_get_lines(const char *url, int64_t timeout_ms,
                             void (*on_line)(const char *line, size_t length, void *ctx), void *ctx,
                             struct err *err);

#endif
