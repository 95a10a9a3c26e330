// SPDX-License-Identifier: Apache-2.0
#include "grpc/buffer.h"

#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES_MIN 512

void grpc_buffer_init(struct grpc_buffer *b, void *memory, size_t bytes)
{
    *b = (struct grpc_buffer){.data = memory, .capacity = bytes};
}

void grpc_buffer_clear(struct grpc_buffer *b)
{
    free(b->heap);
    *b = (struct grpc_buffer){0};
}

static void grow(struct grpc_buffer *b, size_t needed)
{
    size_t capacity = b->capacity > HEAP_BYTES_MIN ? b->capacity : HEAP_BYTES_MIN;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *heap = xrealloc(b->heap, capacity);
    if (b->heap == NULL && b->length > 0)
        memcpy(heap, b->data, b->length);
    b->heap = b->data = heap;
    b->capacity = capacity;
}

uint8_t *grpc_buffer_reserve(struct grpc_buffer *b, size_t more)
{
    CHECK(more < SIZE_MAX / 4 && b->length <= b->capacity);
    if (b->capacity - b->length < more || b->data == NULL)
        grow(b, b->length + more);
    return b->data + b->length;
}

void grpc_buffer_append(struct grpc_buffer *b, const void *data, size_t length)
{
    if (length == 0)
        return;
    memcpy(grpc_buffer_reserve(b, length), data, length);
    b->length += length;
}
