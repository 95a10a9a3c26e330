// SPDX-License-Identifier: Apache-2.0
// Judges the header fields of a request: is it a call we can make, or which refusal does it get
// (gRPC PROTOCOL-HTTP2 "Requests"; where that is silent, what grpc-go answers).
// Pure; one thread at a time. HTTP/2's own rules (RFC 9113 §8) nghttp2 has checked before.
#ifndef ABACUS_GRPC_HEADER_H
#define ABACUS_GRPC_HEADER_H

#include "grpc/metadata.h"
#include "grpc/server.h"

struct grpc_route {
    struct grpc_method method;
    size_t path_length;
};

struct grpc_header_rules {
    const struct grpc_route *routes;
    size_t routes_count;
    size_t list_bytes_max; // each field counts name + value + 32 (RFC 9113 §6.5.2)
};

#define GRPC_HEADER_FIELDS_MAX 128 // each costs HPACK work, however short it is

enum grpc_encoding { GRPC_ENCODING_IDENTITY, GRPC_ENCODING_GZIP, GRPC_ENCODING_UNKNOWN };

struct grpc_header {
    // for the caller
    const struct grpc_route *route; // NULL: no such method
    int64_t timeout_ns;             // INT64_MAX: none
    enum grpc_encoding encoding;
    struct grpc_metadata metadata; // custom fields only: nothing of HTTP/2's or gRPC's own
    // what was seen so far
    size_t list_bytes;
    uint16_t fields_count;
    bool post, content_type_ok, timeout_bad, binary_bad;
};

// memory: where the metadata begin, borrowed until clear.
void grpc_header_init(struct grpc_header *h, void *memory, size_t bytes);
void grpc_header_clear(struct grpc_header *h);

// False: the list is too long; the stream is to be reset.
MUST_USE bool grpc_header_field(struct grpc_header *h, const struct grpc_header_rules *rules,
                                struct grpc_slice name, struct grpc_slice value);

// After the last field. GRPC_OK: accepted. All texts are static.
struct grpc_verdict {
    const char *http_status;
    enum grpc_status status;
    const char *text;
};
struct grpc_verdict grpc_header_judge(const struct grpc_header *h);

#endif
