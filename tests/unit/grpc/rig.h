// SPDX-License-Identifier: Apache-2.0
// A server of ours with a few methods, and calls to it from a loop of the test's own.
#ifndef ABACUS_TESTS_GRPC_RIG_H
#define ABACUS_TESTS_GRPC_RIG_H

#include "grpc/client.h"
#include "grpc/server.h"
#include "unit.h"

#define RIG_ECHO    "/test.Rig/Echo"  // answers with the request
#define RIG_PARK    "/test.Rig/Park"  // answers with the request when rig_release is called
#define RIG_LARGE   "/test.Rig/Large" // answers with as many bytes as the request's digits say
#define RIG_FAIL    "/test.Rig/Fail"  // OUT_OF_RANGE with details
#define RIG_METHODS 4

struct rig_shared;

struct rig {
    struct grpc_server *server;
    struct event_base *base;
    char port[8];
    struct rig_shared *shared; // with the server's thread
};

// address, port and loops are filled in.
void rig_start(struct rig *rig, struct grpc_server_config config);
// The server may have been stopped already.
void rig_end(struct rig *rig);

#define RIG_PATIENCE_MS 60000 // what takes longer has failed

// Waits until so many calls have reached Park since the start.
void rig_await_parked(struct rig *rig, int count);
// Runs the loop until the server has so many connections.
void rig_await_connections(struct rig *rig, int64_t count);
// Answers all that are parked. Those that come later are answered at once.
void rig_release(struct rig *rig);
// How many parked calls knew that their client was gone when they were answered.
int rig_gone_count(struct rig *rig);

struct rig_outcome {
    bool done;
    enum grpc_status status;
    bool answered, not_processed;
    char text[160];
    size_t message_bytes, details_bytes;
    uint8_t first; // of the message
};

struct grpc_channel *rig_channel(struct rig *rig, const struct grpc_channel_config *config);
// False: the channel took no call.
bool rig_call(struct grpc_channel *channel, struct rig_outcome *out,
              const struct grpc_call_spec *spec);

// A call to Park whose deadline passes while it is parked. However slow the machine is: what ended
// before it got there is tried again with more time.
void rig_call_overdue(struct rig *rig, struct grpc_channel *channel, struct rig_outcome *out);

// Runs the loop until *done.
void rig_run_until(struct rig *rig, const bool *done);
void rig_await(struct rig *rig, const struct rig_outcome *outcomes, size_t count);
// One call on a channel of its own.
struct rig_outcome rig_ask(struct rig *rig, const struct grpc_call_spec *spec);

// "OK", or what the call ended with and its text.
const char *rig_shown(const struct rig_outcome *outcome);

#endif
