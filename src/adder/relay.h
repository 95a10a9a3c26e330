// SPDX-License-Identifier: Apache-2.0
// The relay: one thread that reads the outbox in sequence order and publishes to the source's one
// partition by the idempotent producer, without message timeout. It remembers one number in the
// outbox: all up to `published` is acknowledged. After a crash, a fatal producer error or a replay
// it destroys the producer and starts again from there: duplicates are possible, holes are not.
// create, stop, destroy: main; wake, replay, status: any thread.
#ifndef ABACUS_ADDER_RELAY_H
#define ABACUS_ADDER_RELAY_H

#include "adder/outbox.h"
#include "kafka/client.h"

struct relay;

struct relay_config {
    struct kafka_config kafka;
    struct kafka_topic topic;
};

// Checks the configuration and starts the thread; the broker may be away. *out: owned, end with
// relay_destroy. outbox: borrowed. ERR_USAGE: a Kafka property is wrong.
MUST_USE bool relay_create(struct relay **out, const struct relay_config *config,
                           struct outbox *outbox, struct err *err);

// Rows were committed. Coalesces; costs a system call only when the relay sleeps.
void relay_wake(struct relay *relay);

// Publishes again from sequence `from` on. Blocks until the relay has turned round.
// ERR_NOT_FOUND: that row is gone (text: the oldest kept).
MUST_USE bool relay_replay(struct relay *relay, int64_t from, struct err *err);

// Whether Kafka answers, and if not, why: for /source. Nobody's readiness depends on it.
struct relay_status {
    bool connected;
    char trouble[ERR_TEXT_MAX]; // "" when connected
    int64_t in_flight;          // sent and not yet acknowledged
};
void relay_status(struct relay *relay, struct relay_status *out);

// Publishes what the outbox still holds, for at most grace_ms; then ends the thread.
// True: nothing is left unpublished.
bool relay_stop(struct relay *relay, int64_t grace_ms);
void relay_destroy(struct relay *relay); // ends the thread at once if it still runs

#endif
