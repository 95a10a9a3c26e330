// SPDX-License-Identifier: Apache-2.0
// libcurl, loaded when tracing begins and not before: with the dozens of libraries that it brings
// along it would cost every service over a megabyte, and most run without tracing.
#ifndef ABACUS_TELEMETRY_CURL_CALLS_H
#define ABACUS_TELEMETRY_CURL_CALLS_H

#include "base/base.h"
#include "base/err.h"

#include <curl/curl.h>

#define CURL_CALLS(X)      \
    X(global_init)         \
    X(slist_append)        \
    X(slist_free_all)      \
    X(easy_init)           \
    X(easy_setopt)         \
    X(easy_getinfo)        \
    X(easy_strerror)       \
    X(easy_cleanup)        \
    X(multi_init)          \
    X(multi_add_handle)    \
    X(multi_remove_handle) \
    X(multi_perform)       \
    X(multi_poll)          \
    X(multi_wakeup)        \
    X(multi_info_read)     \
    X(multi_cleanup)

// calls.easy_init() is curl_easy_init().
struct curl_calls {
#define CURL_CALL(name) __typeof__(&curl_##name) name;
    CURL_CALLS(CURL_CALL)
#undef CURL_CALL
};

// Main thread, before others use libcurl. It stays loaded: its own libraries would not survive the
// end. ERR_NOT_FOUND: this machine has none.
MUST_USE bool curl_calls_load(struct curl_calls *out, struct err *err);

#endif
