// SPDX-License-Identifier: Apache-2.0
// abacus.v1.Adder/Add: checks the request, hands it to the writer, answers when it is durable.
// create, attach, destroy: main; the rest happens on the server's loops.
#ifndef ABACUS_ADDER_ADD_SERVICE_H
#define ABACUS_ADDER_ADD_SERVICE_H

#include "adder/writer.h"
#include "grpc/server.h"

struct add_service;

#define ADD_SERVICE_INDEX 0 // its method comes first among the server's

// loops: of the server it will serve on.
struct add_service *add_service_create(struct writer *writer, const struct uuid *source, int loops);
void add_service_destroy(struct add_service *service); // after the server and the writer

// The method to hand to grpc_server_create.
struct grpc_method add_service_method(struct add_service *service);
// The context of a call that has such a state: its own span's, or as the client sent it.
const struct trace_context *add_service_context(const void *state);
// Before grpc_server_start: lets every loop hear of answers.
void add_service_attach(struct add_service *service, struct grpc_server *server);

#endif
