// SPDX-License-Identifier: Apache-2.0
// The target of an HTTP request ("/v1/sources/a%20b?limit=5"): taken apart, decoded, matched
// against a route (RFC 9112 §3.2, RFC 3986 §2.1). Pure.
#ifndef ABACUS_TELEMETRY_HTTP_PATH_H
#define ABACUS_TELEMETRY_HTTP_PATH_H

#include "base/base.h"

#define HTTP_QUERY_MAX 16 // parameters of a request; our routes know a handful

struct http_parameter {
    const char *name, *value; // decoded
};

// All texts lie in what was parsed.
struct http_target {
    char *path; // begins with '/'; still encoded, since an encoded slash does not separate
    struct http_parameter query[HTTP_QUERY_MAX];
    size_t query_count;
};

// Takes text apart in place. False: malformed (text is spoilt): neither a path nor a http URL, a
// character that must be encoded, a wrong or zero %XX, too many parameters.
MUST_USE bool http_target_parse(char *text, struct http_target *out);

// The first parameter of that name, "" when it has no value; NULL: there is none.
const char *http_target_query(const struct http_target *target, const char *name);

// Whether a parsed path is what the route's path describes: literal text, or literal text and one
// last "{variable}", a segment that is not empty. *variable: where that begins in path, still
// encoded (http_percent_decode), or NULL.
MUST_USE bool http_path_match(const char *pattern, char *path, char **variable);

// In place; the text has been through http_target_parse.
void http_percent_decode(char *text);

#endif
