// SPDX-License-Identifier: Apache-2.0
#include "grpc/message.h"

#include <string.h>

void grpc_prefix_write(uint8_t out[GRPC_PREFIX_BYTES], uint32_t length)
{
    out[0] = 0;
    out[1] = (uint8_t)(length >> 24);
    out[2] = (uint8_t)(length >> 16);
    out[3] = (uint8_t)(length >> 8);
    out[4] = (uint8_t)length;
}

void grpc_reader_init(struct grpc_reader *r, size_t limit_bytes)
{
    r->message = (struct grpc_slice){0};
    r->compressed = false;
    r->limit_bytes = limit_bytes;
    r->length_bytes = 0;
    r->prefix_filled_bytes = 0;
    grpc_buffer_init(&r->body, r->small, sizeof(r->small));
}

void grpc_reader_clear(struct grpc_reader *r)
{
    grpc_buffer_clear(&r->body);
    grpc_reader_init(r, r->limit_bytes);
}

static size_t take(uint8_t *out, size_t wanted, struct grpc_slice *input)
{
    const size_t n = wanted < input->length ? wanted : input->length;
    if (n > 0)
        memcpy(out, input->data, n);
    input->data += n;
    input->length -= n;
    return n;
}

// True: the prefix is complete and length_bytes known.
static bool prefix_take(struct grpc_reader *r, struct grpc_slice *input)
{
    if (r->prefix_filled_bytes == GRPC_PREFIX_BYTES)
        return true;
    const size_t missing = (size_t)(GRPC_PREFIX_BYTES - r->prefix_filled_bytes);
    const size_t n = take(r->prefix + r->prefix_filled_bytes, missing, input);
    r->prefix_filled_bytes = (uint8_t)(r->prefix_filled_bytes + n);
    if (n < missing)
        return false;
    const uint8_t *p = r->prefix;
    r->length_bytes = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    r->body.length = 0;
    return true;
}

enum grpc_read grpc_reader_feed(struct grpc_reader *r, struct grpc_slice *input)
{
    if (!prefix_take(r, input))
        return GRPC_READ_MORE;
    if (r->prefix[0] > 1)
        return GRPC_READ_MALFORMED;
    if (r->length_bytes > r->limit_bytes)
        return GRPC_READ_TOO_LARGE;
    const size_t missing = r->length_bytes - r->body.length;
    const size_t here = missing < input->length ? missing : input->length;
    r->body.length += take(grpc_buffer_reserve(&r->body, here), here, input);
    if (r->body.length < r->length_bytes)
        return GRPC_READ_MORE;
    r->message = (struct grpc_slice){r->body.data, r->length_bytes};
    r->compressed = r->prefix[0] == 1;
    r->prefix_filled_bytes = 0;
    return GRPC_READ_MESSAGE;
}

bool grpc_reader_midway(const struct grpc_reader *r)
{
    return r->prefix_filled_bytes > 0;
}
