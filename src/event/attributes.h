// SPDX-License-Identifier: Apache-2.0
// The names of the headers, in the order in which encode.c writes them. Private to src/event.
// CloudEvents Kafka binding §3.2: an attribute `x` is the header `ce_x`; datacontenttype is
// `content-type`. The tracing extension's ce_traceparent equals the protocol's own traceparent.
#ifndef ABACUS_EVENT_ATTRIBUTES_H
#define ABACUS_EVENT_ATTRIBUTES_H

#include "base/base.h"

#define ATTRIBUTES(X)                \
    X(SPECVERSION, "ce_specversion") \
    X(ID, "ce_id")                   \
    X(SOURCE, "ce_source")           \
    X(TYPE, "ce_type")               \
    X(TIME, "ce_time")               \
    X(SEQUENCE, "ce_sequence")       \
    X(CONTENT_TYPE, "content-type")  \
    X(TRACEPARENT, "traceparent")    \
    X(CE_TRACEPARENT, "ce_traceparent")

enum attribute {
#define ATTRIBUTE_ENUM(id, name) ATTRIBUTE_##id,
    ATTRIBUTES(ATTRIBUTE_ENUM)
#undef ATTRIBUTE_ENUM
        ATTRIBUTE_COUNT
};

#define EVENT_SPECVERSION     "1.0"
#define EVENT_CONTENT_TYPE    "application/json"
#define EVENT_SEQUENCE_DIGITS 19 // of INT64_MAX; CloudEvents' sequence is ordered as text

#endif
