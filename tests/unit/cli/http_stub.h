// SPDX-License-Identifier: Apache-2.0
// For tests of clients: a server that gives every connection the same bytes, right or wrong.
#ifndef ABACUS_TESTS_UNIT_CLI_HTTP_STUB_H
#define ABACUS_TESTS_UNIT_CLI_HTTP_STUB_H

#include "base/base.h"

struct http_stub;

// answer: borrowed; sent as it is after the request's head. NULL: accepts and stays silent.
// A "%" in answer is not special.
struct http_stub *http_stub_start(const char *answer, size_t length);
const char *http_stub_url(const struct http_stub *stub); // "http://127.0.0.1:PORT"
void http_stub_stop(struct http_stub *stub);

#endif
