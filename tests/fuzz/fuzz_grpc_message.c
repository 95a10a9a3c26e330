// SPDX-License-Identifier: Apache-2.0
// The same bytes in one piece and in small pieces (the first byte says how small) must give the
// same messages, none longer than the limit.
#include "grpc/message.h"

#include "base/bytes.h"

#include "fuzz.h"

#define LIMIT_BYTES 1000

struct outcome {
    struct bytes messages; // each: compressed flag, length, bytes
    enum grpc_read last;
    bool midway;
};

static void keep(struct bytes *messages, const struct grpc_reader *reader)
{
    CHECK_INT(reader->message.length, <=, LIMIT_BYTES);
    bytes_printf(messages, "%d %zu ", reader->compressed, reader->message.length);
    bytes_append(messages, reader->message.data, reader->message.length);
}

static struct outcome read_all(const uint8_t *data, size_t size, size_t piece)
{
    struct outcome outcome = {.last = GRPC_READ_MORE};
    struct grpc_reader reader;
    grpc_reader_init(&reader, LIMIT_BYTES);
    while (size > 0 && outcome.last < GRPC_READ_TOO_LARGE) {
        const size_t length = piece < size ? piece : size;
        struct grpc_slice input = {data, length};
        while ((outcome.last = grpc_reader_feed(&reader, &input)) == GRPC_READ_MESSAGE)
            keep(&outcome.messages, &reader);
        CHECK(outcome.last != GRPC_READ_MORE || input.length == 0);
        data += length;
        size -= length;
    }
    outcome.midway = grpc_reader_midway(&reader);
    grpc_reader_clear(&reader);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct outcome whole = read_all(data + 1, size - 1, size);
    struct outcome pieces = read_all(data + 1, size - 1, (size_t)1 + data[0] % 16);
    CHECK_INT(whole.last, ==, pieces.last);
    CHECK_INT(whole.midway, ==, pieces.midway);
    CHECK_INT(whole.messages.length, ==, pieces.messages.length);
    CHECK(whole.messages.length == 0 ||
          memcmp(whole.messages.data, pieces.messages.data, whole.messages.length) == 0);
    bytes_clear(&whole.messages);
    bytes_clear(&pieces.messages);
    return 0;
}
