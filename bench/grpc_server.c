// SPDX-License-Identifier: Apache-2.0
// The gRPC layer with nothing behind it: answers /abacus.bench.Echo/Echo with the request's bytes,
// until SIGTERM. Prints its port. bench/run.py loads it with h2load and with our own client.
#include "base/int128.h"
#include "base/stop.h"
#include "grpc/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_message(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    grpc_call_reply(call, message.data, message.length);
}

int main(int argc, char **argv)
{
    int64_t loops = 1;
    if (argc > 2 || (argc == 2 && !int64_parse(argv[1], strlen(argv[1]), &loops))) {
        fprintf(stderr, "usage: %s [LOOPS]\n", argv[0]);
        return 2;
    }
    stop_init();
    static const struct grpc_method methods[] = {
        {.path = "/abacus.bench.Echo/Echo", .kind = GRPC_UNARY, .on_message = on_message},
        // The adder's own path, so that `abacus-cli load` can be pointed at this server; an
        // AddRequest's bytes are a valid AddResponse (field 1 is an integer in both).
        {.path = "/abacus.v1.Adder/Add", .kind = GRPC_UNARY, .on_message = on_message},
    };
    const struct grpc_server_config config = {.address = "127.0.0.1", .loops = (int)loops};
    struct grpc_server *server;
    struct err err;
    if (!grpc_server_create(&server, &config, methods, COUNT_OF(methods), &err)) {
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
        return 1;
    }
    grpc_server_start(server);
    printf("%d\n", grpc_server_port(server));
    fflush(stdout);
    while (!stop_wait(-1))
        continue;
    const bool all_finished = grpc_server_stop(server, 1000);
    grpc_server_destroy(server);
    return all_finished ? 0 : 1;
}
