// SPDX-License-Identifier: Apache-2.0
// A server of ours for other implementations' clients: the interop test service, health,
// reflection, and a few methods that tests steer. Prints its port; SIGTERM stops it gracefully,
// exit status 0: no call was cut. Limits are arguments: NAME=NUMBER, a field of struct
// grpc_server_config.
#include "base/int128.h"
#include "base/stop.h"
#include "grpc/health.h"
#include "grpc/reflection.h"
#include "testing.h"

#include "interop_descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEERED_METHODS 4
#define PARKED_MAX      100
#define GRACE_MS        1000 // unless told otherwise: tests leave calls behind

// --- arguments ---
struct settings {
    struct grpc_server_config limits;
    int64_t grace_ms; // of the stop
};

static const struct option {
    const char *name;
    size_t offset, bytes;
} options[] = {
#define OPTION(name)                                       \
    {                                                      \
#name, offsetof(struct settings, limits.name),     \
            sizeof(((struct settings *)NULL)->limits.name) \
    }
    OPTION(streams_max),
    OPTION(connections_max),
    OPTION(message_bytes_max),
    OPTION(header_list_bytes_max),
    OPTION(unsent_bytes_max),
    OPTION(ping_interval_min_ms),
    OPTION(resets_burst_max),
    OPTION(resets_per_s),
    OPTION(handshake_timeout_ms),
    OPTION(request_timeout_ms),
    OPTION(stall_timeout_ms),
    OPTION(idle_max_ms),
    OPTION(age_max_ms),
    OPTION(age_grace_ms),
    OPTION(keepalive_ms),
    OPTION(keepalive_timeout_ms),
#undef OPTION
    {"grace_ms", offsetof(struct settings, grace_ms), sizeof(int64_t)},
};

static bool option_set(struct settings *settings, const char *argument)
{
    const char *equals = strchr(argument, '=');
    int64_t number;
    if (equals == NULL || !int64_parse(equals + 1, strlen(equals + 1), &number))
        return false;
    const uint32_t small = (uint32_t)number;
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];
        if (strlen(o->name) != (size_t)(equals - argument) ||
            strncmp(o->name, argument, strlen(o->name)) != 0)
            continue;
        memcpy((char *)settings + o->offset,
               o->bytes == sizeof(small) ? (const void *)&small : &number, o->bytes);
        return true;
    }
    return false;
}

// --- methods that tests steer; on the loop's thread ---
struct steered {
    struct grpc_health *health;
    struct grpc_call *calls[PARKED_MAX];
    size_t count;
    bool released;
};

static void on_echo(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)ctx;
    grpc_call_reply(call, message.data, message.length);
}

static void on_park(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)message;
    struct steered *s = ctx;
    if (s->released)
        grpc_call_reply(call, NULL, 0);
    else if (s->count == PARKED_MAX)
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "no room to park");
    else
        s->calls[s->count++] = call;
}

static void release(struct steered *s)
{
    s->released = true;
    for (size_t i = 0; i < s->count; i++)
        grpc_call_reply(s->calls[i], NULL, 0);
    s->count = 0;
}

// The message is a word: what health shall say, or that Park shall answer, now and from now on.
static void on_tell(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    struct steered *s = ctx;
    char word[16] = "";
    memcpy(word, message.data, message.length < sizeof(word) ? message.length : sizeof(word) - 1);
    if (strcmp(word, "release") == 0)
        release(s);
    else
        grpc_health_set(s->health, strcmp(word, "serving") == 0);
    grpc_call_reply(call, NULL, 0);
}

// Sends messages of 64 KiB until it is too much for the client, at most as many as asked.
static void on_flood(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    (void)message, (void)ctx;
    static const uint8_t part[64 * 1024];
    for (int i = 0; i < 1000; i++) {
        if (!grpc_call_send(call, part, sizeof(part)))
            return;
    }
    grpc_call_finish(call, GRPC_OK, "");
}

// --- main ---
struct program {
    struct steered steered;
    struct grpc_reflection *reflection;
    struct grpc_server *server;
};

static bool program_create(struct program *p, const struct grpc_server_config *config,
                           struct err *err)
{
    static const char *const services[] = {"grpc.testing.TestService"};
    const struct grpc_slice set = {interop_descriptors, interop_descriptors_length};
    if (!grpc_reflection_create(&p->reflection, set, err))
        return false;
    p->steered.health = grpc_health_create(services, COUNT_OF(services), 1);
    grpc_health_set(p->steered.health, true);
    struct grpc_method methods[STEERED_METHODS + TESTING_METHODS + GRPC_HEALTH_METHODS +
                               GRPC_REFLECTION_METHODS] = {
        {.path = "/abacus.test.Steered/Echo", .on_message = on_echo},
        {.path = "/abacus.test.Steered/Park", .on_message = on_park, .ctx = &p->steered},
        {.path = "/abacus.test.Steered/Tell", .on_message = on_tell, .ctx = &p->steered},
        {.path = "/abacus.test.Steered/Flood", .kind = GRPC_SERVER_STREAM, .on_message = on_flood},
    };
    testing_methods(methods + STEERED_METHODS);
    grpc_health_methods(p->steered.health, methods + STEERED_METHODS + TESTING_METHODS);
    grpc_reflection_methods(p->reflection,
                            methods + STEERED_METHODS + TESTING_METHODS + GRPC_HEALTH_METHODS);
    if (!grpc_server_create(&p->server, config, methods, COUNT_OF(methods), err))
        return false;
    grpc_health_attach(p->steered.health, p->server);
    return true;
}

int main(int argc, char **argv)
{
    struct settings settings = {.limits = {.address = "127.0.0.1", .loops = 1},
                                .grace_ms = GRACE_MS};
    for (int i = 1; i < argc; i++) {
        if (!option_set(&settings, argv[i])) {
            fprintf(stderr, "%s: %s: not NAME=NUMBER of a limit\n", argv[0], argv[i]);
            return 2;
        }
    }
    stop_init();
    struct program program = {0};
    struct err err;
    if (!program_create(&program, &settings.limits, &err)) {
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
        return 1;
    }
    grpc_server_start(program.server);
    printf("%d\n", grpc_server_port(program.server));
    fflush(stdout);
    while (!stop_wait(-1))
        continue;
    const bool clean = grpc_server_stop(program.server, settings.grace_ms);
    grpc_server_destroy(program.server);
    grpc_health_destroy(program.steered.health);
    grpc_reflection_destroy(program.reflection);
    return clean ? 0 : 1;
}
