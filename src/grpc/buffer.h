// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes that begins in memory its owner already has and moves to the heap only
// when it outgrows that: most calls are small and need no allocation but their own.
// Pure; one thread at a time. Invariant: length <= capacity. The owner bounds the length.
#ifndef ABACUS_GRPC_BUFFER_H
#define ABACUS_GRPC_BUFFER_H

#include "base/base.h"

struct grpc_buffer {
    uint8_t *data;
    size_t length, capacity;
    uint8_t *heap; // owned; NULL while data is the first memory
};

// memory: borrowed until clear; NULL with 0 bytes is allowed.
void grpc_buffer_init(struct grpc_buffer *b, void *memory, size_t bytes);
// Frees what was allocated. Only init may follow.
void grpc_buffer_clear(struct grpc_buffer *b);

// Makes room for that many more and returns where they go; the caller then adds to length.
uint8_t *grpc_buffer_reserve(struct grpc_buffer *b, size_t more);
void grpc_buffer_append(struct grpc_buffer *b, const void *data, size_t length);

#endif
