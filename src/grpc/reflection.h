// SPDX-License-Identifier: Apache-2.0
// grpc.reflection v1 and v1alpha on our server, answering from the descriptor set that protoc wrote
// at build time. create, destroy: main; read-only afterwards.
#ifndef ABACUS_GRPC_REFLECTION_H
#define ABACUS_GRPC_REFLECTION_H

#include "grpc/server.h"

struct grpc_reflection;

// set: a serialised google.protobuf.FileDescriptorSet, borrowed for ever. Services listed: those in
// the set.
MUST_USE bool grpc_reflection_create(struct grpc_reflection **out, struct grpc_slice set,
                                     struct err *err);
void grpc_reflection_destroy(struct grpc_reflection *reflection); // after the server

#define GRPC_REFLECTION_METHODS 2
void grpc_reflection_methods(struct grpc_reflection *reflection, struct grpc_method *out);

#endif
