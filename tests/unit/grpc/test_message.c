// SPDX-License-Identifier: Apache-2.0
#include "grpc/message.h"

#include "base/bytes.h"
#include "unit.h"

#include <string.h>

#define LIMIT_BYTES 300

static void a_prefix_is_a_zero_and_the_length_big_endian(void **state)
{
    (void)state;
    uint8_t prefix[GRPC_PREFIX_BYTES];
    grpc_prefix_write(prefix, 0x01020304);
    assert_memory_equal(prefix, "\0\1\2\3\4", sizeof(prefix));
}

// Feeds all in pieces of that many bytes and writes what was read: "<bytes of a message>|" and at
// last how it stood.
static void read_in_pieces(struct bytes *out, const char *wire, size_t length, size_t piece)
{
    static const char *const names[] = {
        [GRPC_READ_MORE] = "more", [GRPC_READ_TOO_LARGE] = "large", [GRPC_READ_MALFORMED] = "bad"};
    struct grpc_reader r;
    grpc_reader_init(&r, LIMIT_BYTES);
    enum grpc_read got = GRPC_READ_MORE;
    for (size_t at = 0; at < length && got == GRPC_READ_MORE; at += piece) {
        struct grpc_slice input = {(const uint8_t *)wire + at,
                                   length - at < piece ? length - at : piece};
        while ((got = grpc_reader_feed(&r, &input)) == GRPC_READ_MESSAGE) {
            bytes_append(out, r.message.data, r.message.length);
            bytes_append_text(out, r.compressed ? "z|" : "|");
        }
    }
    bytes_append_text(out, names[got]);
    if (got == GRPC_READ_MORE && grpc_reader_midway(&r))
        bytes_append_text(out, " midway");
    grpc_reader_clear(&r);
}

static void messages_come_out_whole_however_the_bytes_come_in(void **state)
{
    (void)state;
#define WIRE(text) text, sizeof(text) - 1
    static const struct {
        const char *wire;
        size_t length;
        const char *want;
    } table[] = {
        {WIRE(""), "more"},
        {WIRE("\0\0\0\0\0"), "|more"},
        {WIRE("\0\0\0\0\3abc"), "abc|more"},
        {WIRE("\1\0\0\0\3abc"), "abcz|more"},
        {WIRE("\0\0\0\0\1a\0\0\0\0\2bc\0\0\0\0\0"), "a|bc||more"},
        {WIRE("\0"), "more midway"},
        {WIRE("\0\0\0\0"), "more midway"},
        {WIRE("\0\0\0\0\1"), "more midway"},
        {WIRE("\0\0\0\0\3ab"), "more midway"},
        {WIRE("\0\0\0\0\1a\0\0"), "a|more midway"},
        {WIRE("\2\0\0\0\0"), "bad"},
        {WIRE("\377\0\0\0\0"), "bad"},
        {WIRE("\0\0\0\1\55"), "large"},        // 301
        {WIRE("\0\377\377\377\377"), "large"}, // nothing is allocated for it
        {WIRE("\0\0\0\1\54"), "more midway"},  // 300
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        for (size_t piece = 1; piece <= 24; piece++) {
            struct bytes got = {0};
            read_in_pieces(&got, table[i].wire, table[i].length, piece);
            EXPECT(strcmp((char *)got.data, table[i].want) == 0,
                   "row %zu in pieces of %zu: got \"%s\"", i, piece, (char *)got.data);
            bytes_clear(&got);
        }
    }
}

static void a_message_may_outgrow_the_readers_own_memory(void **state)
{
    (void)state;
    uint8_t wire[GRPC_PREFIX_BYTES + LIMIT_BYTES];
    grpc_prefix_write(wire, LIMIT_BYTES);
    for (size_t i = 0; i < LIMIT_BYTES; i++)
        wire[GRPC_PREFIX_BYTES + i] = (uint8_t)i;
    struct grpc_reader r;
    grpc_reader_init(&r, LIMIT_BYTES);
    for (int round = 0; round < 3; round++) { // the memory is used again
        struct grpc_slice input = {wire, sizeof(wire)};
        assert_int_equal(grpc_reader_feed(&r, &input), GRPC_READ_MESSAGE);
        assert_int_equal(r.message.length, LIMIT_BYTES);
        assert_memory_equal(r.message.data, wire + GRPC_PREFIX_BYTES, LIMIT_BYTES);
    }
    grpc_reader_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_is_a_zero_and_the_length_big_endian),
        cmocka_unit_test(messages_come_out_whole_however_the_bytes_come_in),
        cmocka_unit_test(a_message_may_outgrow_the_readers_own_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
