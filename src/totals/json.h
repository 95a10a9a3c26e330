// SPDX-License-Identifier: Apache-2.0
// What REST says of the ledger, as JSON text. Integers of 64 bits and more are decimal strings, as
// in ProtoJSON: a reader's floating-point numbers would round them. Pure, any thread.
#ifndef ABACUS_TOTALS_JSON_H
#define ABACUS_TOTALS_JSON_H

#include "base/bytes.h"
#include "totals/consumer.h"
#include "totals/ledger.h"

// Into the caller's storage, since this is what is asked for most. Returns the length.
#define JSON_TOTAL_BYTES 320
size_t json_total(char out[JSON_TOTAL_BYTES], const struct ledger_total *total);

// Names a state of one ledger: the first 8 digits of its id, and its version. In quotes it is the
// ETag of the total, without them the id of an event in the stream.
#define JSON_TAG_BYTES 32
void json_tag(char out[JSON_TAG_BYTES], const struct ledger_total *total);

void json_source(struct bytes *out, const struct ledger_source *source);

struct json_partition {
    struct ledger_partition ledger;                 // next_offset -1: nothing was ever committed
    int64_t settled_offset, end_offset, end_age_ms; // as in consumer.h; -1: unknown
    bool assigned;
};
void json_partition(struct bytes *out, const struct json_partition *partition);

#endif
