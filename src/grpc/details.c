// SPDX-License-Identifier: Apache-2.0
#include "grpc/details.h"

#include "error_subset.pb-c.h"

#include <stdlib.h>

void grpc_details_encode(struct bytes *out, enum grpc_status status, const char *text,
                         const char *reason)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = (char *)(uintptr_t)reason; // protobuf-c has no const
    info.domain = (char *)(uintptr_t)GRPC_ERROR_DOMAIN;

    Google__Rpc__Any any = GOOGLE__RPC__ANY__INIT;
    any.type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.ErrorInfo";
    any.value.len = google__rpc__error_info__get_packed_size(&info);
    any.value.data = xmalloc(any.value.len);
    google__rpc__error_info__pack(&info, any.value.data);

    Google__Rpc__Any *details[] = {&any};
    Google__Rpc__Status message = GOOGLE__RPC__STATUS__INIT;
    message.code = (int32_t)status;
    message.message = (char *)(uintptr_t)text;
    message.details = details;
    message.n_details = COUNT_OF(details);
    const size_t length = google__rpc__status__get_packed_size(&message);
    google__rpc__status__pack(&message, bytes_reserve(out, length));
    out->length += length;
    free(any.value.data);
}
