// SPDX-License-Identifier: Apache-2.0
// grpc.testing.TestService, for the interop suites of other gRPC implementations.
#ifndef ABACUS_TESTS_INTEROP_TESTING_H
#define ABACUS_TESTS_INTEROP_TESTING_H

#include "grpc/server.h"

#define TESTING_METHODS 5
void testing_methods(struct grpc_method *out);

#endif
