// SPDX-License-Identifier: Apache-2.0
// Is what an adder committed what totals counted? Judges one round of reading. Pure.
//
// The order of reading makes the judgement sound while everything goes on moving:
//
//   1. adder: published     all up to here was in Kafka before …
//   2. totals: lag          … so a lag of 0, if Kafka told of its end after that, says that totals
//                           had seen it before …
//   3. totals: the source   … and what is missing here did not come;
//   4. adder: count, sum    these only grow: more in 3 than here was counted twice.
#ifndef ABACUS_CLI_VERDICT_H
#define ABACUS_CLI_VERDICT_H

#include "cli/services.h"

// on the way     not all of it is in the ledger, and may yet come
// unknown        somebody did not answer
// lost           Kafka was read to its end, and events are missing
// counted twice  the ledger has more than was ever committed
// different      as many events, another sum
#define VERDICTS(X)                     \
    X(VERDICT_EQUAL, "equal")           \
    X(VERDICT_ON_THE_WAY, "on the way") \
    X(VERDICT_UNKNOWN, "unknown")       \
    X(VERDICT_LOST, "lost")             \
    X(VERDICT_EXCESS, "counted twice")  \
    X(VERDICT_DIFFERENT, "different")

enum verdict {
#define VERDICT_ENUM(name, text) name,
    VERDICTS(VERDICT_ENUM)
#undef VERDICT_ENUM
};

struct verdict_input {
    int64_t published; // 1.
    int64_t lag;       // 2. of the source's partition, as told since 1.; else LAG_UNKNOWN
    const struct ledger_view *ledger; // 3. NULL: the ledger has never heard of the source
    int64_t count;                    // 4.
    __int128 sum;
};

struct verdict_result {
    enum verdict verdict;
    char text[400]; // for people
};

struct verdict_result verdict_judge(const struct verdict_input *input);
const char *verdict_name(enum verdict verdict);

// No later reading can change it.
bool verdict_final(enum verdict verdict);

// Exit code for all together: CLI_FAILED if anything is wrong, else CLI_UNKNOWN if anything is not
// known or nothing was asked, else CLI_OK.
int verdict_exit(const enum verdict *verdicts, size_t count);

#endif
