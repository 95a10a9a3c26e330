// SPDX-License-Identifier: Apache-2.0
// Names and values of a request or an answer, packed one after the other:
//
//   [ name length ][ value length ][ name ][ NUL ][ value ][ NUL ] …
//
// Pure; one thread at a time. The owner bounds the sum of the sizes (the header list limit).
#ifndef ABACUS_GRPC_METADATA_H
#define ABACUS_GRPC_METADATA_H

#include "grpc/buffer.h"
#include "grpc/message.h"

struct grpc_metadata {
    struct grpc_buffer packed;
};

// memory: where it begins, borrowed until clear; NULL with 0 bytes is allowed.
void grpc_metadata_init(struct grpc_metadata *m, void *memory, size_t bytes);
void grpc_metadata_clear(struct grpc_metadata *m);

// As it is. A name that is there already: the values are joined by a comma, in order
// (gRPC PROTOCOL-HTTP2 "Custom-Metadata").
void grpc_metadata_add(struct grpc_metadata *m, struct grpc_slice name, struct grpc_slice value);
// From the wire: values of -bin names are split at commas and decoded. Of several in one field the
// first is kept and the others are only checked: a byte each on the wire, they would all cost the
// name's bytes here. False: not base64.
MUST_USE bool grpc_metadata_receive(struct grpc_metadata *m, struct grpc_slice name,
                                    struct grpc_slice value);
// For the wire: values of -bin names are encoded.
void grpc_metadata_send(struct grpc_metadata *m, const char *name, const void *value,
                        size_t length);

// The value (NUL-terminated, length may be NULL), or NULL: absent. Of several values of a -bin
// name the first. Borrowed until the next change.
const char *grpc_metadata_find(const struct grpc_metadata *m, const char *name, size_t *length);

// Walks through: begin with *at = 0; false: no more.
struct grpc_metadatum {
    struct grpc_slice name, value;
};
bool grpc_metadata_next(const struct grpc_metadata *m, size_t *at, struct grpc_metadatum *out);

#endif
