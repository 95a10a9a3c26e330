// SPDX-License-Identifier: Apache-2.0
#include "telemetry/curl_calls.h"

#include <dlfcn.h>

#define LIBRARY "libcurl.so.4"

bool curl_calls_load(struct curl_calls *out, struct err *err)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return err_set(err, ERR_NOT_FOUND, "load " LIBRARY ": %s", dlerror());
#define CURL_CALL(name)                                           \
    *(void **)(void *)&out->name = dlsym(library, "curl_" #name); \
    if (out->name == NULL)                                        \
        return err_set(err, ERR_NOT_FOUND, LIBRARY " has no curl_" #name);
    CURL_CALLS(CURL_CALL)
#undef CURL_CALL
    return out->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
           err_set(err, ERR_UNAVAILABLE, LIBRARY " does not start");
}
