// SPDX-License-Identifier: Apache-2.0
// Fault seams: named steps at which a test may make the process die or an operation fail. Only a
// build with -Dfaults=true has them; elsewhere fault_here is the constant false.
//
//   ABACUS_FAULT=outbox_commit:2:kill    the second time that step is reached, SIGKILL
//   ABACUS_FAULT=outbox_commit:1:fail    the first time, the step reports failure
//   ABACUS_FAULT=outbox_commit:1:slow    from the first time on, the step takes 100 ms longer
//
// Any thread.
#ifndef ABACUS_BASE_FAULT_H
#define ABACUS_BASE_FAULT_H

#include "base/base.h"

// Every step, in the order in which an add passes them.
#define FAULT_STEPS(X)                                                                 \
    X(outbox_insert)  /* rows are inserted, the transaction is open */                 \
    X(outbox_commit)  /* about to commit */                                            \
    X(outbox_durable) /* committed, nobody knows yet */                                \
    X(add_answer)     /* durable, the answer is about to go out */                     \
    X(relay_read)     /* rows are read, nothing is handed to Kafka */                  \
    X(relay_produce)  /* handed to the producer, not acknowledged */                   \
    X(relay_ack)      /* acknowledged by Kafka, `published` is not moved yet */        \
    X(outbox_publish) /* `published` is about to become durable */                     \
    X(totals_poll)    /* events are here, nothing is applied */                        \
    X(dead_letter)    /* a dead letter is acknowledged, the offset is not moved yet */ \
    X(ledger_apply)   /* applied in the open transaction */                            \
    X(ledger_commit)  /* about to commit */                                            \
    X(ledger_durable) /* committed, Kafka does not know the offset */

enum fault_step {
#define FAULT_ENUM(name) FAULT_##name,
    FAULT_STEPS(FAULT_ENUM)
#undef FAULT_ENUM
};

#ifdef ABACUS_FAULTS
// True: the caller is to behave as if the step had failed. May not return at all.
bool fault_here(enum fault_step step);
#else
static inline bool fault_here(enum fault_step step)
{
    (void)step;
    return false;
}
#endif

#endif
