// SPDX-License-Identifier: Apache-2.0
// Dead letters: messages that are no event of ours go to a topic of their own, as they were (key,
// value, headers), with headers that say why and where they came from. A letter may be there twice
// after a crash or a lost answer: topic, partition and offset name it.
// The consumer's thread; create, destroy: main.
#ifndef ABACUS_TOTALS_DEAD_LETTERS_H
#define ABACUS_TOTALS_DEAD_LETTERS_H

#include "kafka/client.h"

// Headers added to the message's own; all text.
#define DEAD_LETTER_REASON    "abacus_reason"
#define DEAD_LETTER_TOPIC     "abacus_topic"
#define DEAD_LETTER_PARTITION "abacus_partition"
#define DEAD_LETTER_OFFSET    "abacus_offset"
// What was left out because the letter was too large for the topic: "value", or "key, headers and
// value". Something always arrives: a message may not hold up its partition for ever.
#define DEAD_LETTER_CUT "abacus_left_out"

enum dead_letter_cut { DEAD_LETTER_WHOLE, DEAD_LETTER_NO_VALUE, DEAD_LETTER_BARE };

struct dead_letter {
    rd_kafka_message_t *message; // borrowed
    const char *reason;          // NULL: not a dead letter, passed over
    bool acknowledged;           // out: it is in the topic; such are passed over
    enum dead_letter_cut cut;    // out: what it is sent again without
};

struct dead_letters;

// config, topic: their texts are borrowed until destroy. ERR_USAGE: a Kafka property is wrong.
MUST_USE bool dead_letters_create(struct dead_letters **out, const struct kafka_config *config,
                                  const struct kafka_topic *topic, struct err *err);
void dead_letters_destroy(struct dead_letters *d);

// Sends and waits for the acknowledgements, at most about 20 s. False: some are not in the topic,
// or it is not known; try again with the same list.
MUST_USE bool dead_letters_send(struct dead_letters *d, struct dead_letter *letters, size_t n,
                                struct err *err);

#endif
