// SPDX-License-Identifier: Apache-2.0
#include "grpc/gzip.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP 31 // window bits and wrapper, as zlib wants them

static struct grpc_slice packed(uint8_t *out, size_t size, const void *plain, size_t length,
                                int window_bits)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)plain,
                  .avail_in = (uInt)length,
                  .next_out = out,
                  .avail_out = (uInt)size};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return (struct grpc_slice){out, size - z.avail_out};
}

static void a_message_comes_back_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 100, 16383, 16384, 16385, 100000};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        const size_t n = lengths[i];
        uint8_t *plain = xmalloc(n + 1), *space = xmalloc(n + 1000);
        for (size_t b = 0; b < n; b++)
            plain[b] = (uint8_t)(b * b >> 3);
        const struct grpc_slice in = packed(space, n + 1000, plain, n, GZIP);
        struct bytes out = {0};
        EXPECT(grpc_gunzip(&out, in, n) == GRPC_GUNZIP_OK, "%zu bytes", n);
        EXPECT(out.length == n && (n == 0 || memcmp(out.data, plain, n) == 0), "%zu bytes", n);
        bytes_clear(&out);
        free(plain);
        free(space);
    }
}

static void what_inflates_beyond_the_limit_is_too_large_and_never_held(void **state)
{
    (void)state;
    const size_t n = 8 * 1024 * 1024;
    uint8_t *plain = xcalloc(1, n), *space = xmalloc(64 * 1024);
    const struct grpc_slice bomb = packed(space, 64 * 1024, plain, n, GZIP);
    struct bytes out = {0};
    assert_int_equal(grpc_gunzip(&out, bomb, 1000), GRPC_GUNZIP_TOO_LARGE);
    assert_true(out.capacity < 64 * 1024);
    bytes_clear(&out);
    assert_int_equal(grpc_gunzip(&out, bomb, n - 1), GRPC_GUNZIP_TOO_LARGE);
    bytes_clear(&out);
    assert_int_equal(grpc_gunzip(&out, bomb, n), GRPC_GUNZIP_OK);
    bytes_clear(&out);
    free(plain);
    free(space);
}

static void what_is_not_exactly_one_gzip_stream_is_corrupt(void **state)
{
    (void)state;
    uint8_t space[256];
    const struct grpc_slice good = packed(space, sizeof(space), "hello", 5, GZIP);
    for (size_t cut = 0; cut < good.length; cut++) {
        struct bytes out = {0};
        EXPECT(grpc_gunzip(&out, (struct grpc_slice){space, cut}, 100) == GRPC_GUNZIP_CORRUPT,
               "cut after %zu bytes", cut);
        bytes_clear(&out);
    }
    struct bytes out = {0};
    space[good.length] = 0; // a byte more
    assert_int_equal(grpc_gunzip(&out, (struct grpc_slice){space, good.length + 1}, 100),
                     GRPC_GUNZIP_CORRUPT);
    bytes_clear(&out);
    space[good.length - 5] ^= 1; // its checksum
    assert_int_equal(grpc_gunzip(&out, good, 100), GRPC_GUNZIP_CORRUPT);
    bytes_clear(&out);
    const struct grpc_slice zlib = packed(space, sizeof(space), "hello", 5, 15);
    assert_int_equal(grpc_gunzip(&out, zlib, 100), GRPC_GUNZIP_CORRUPT);
    bytes_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back_whole),
        cmocka_unit_test(what_inflates_beyond_the_limit_is_too_large_and_never_held),
        cmocka_unit_test(what_is_not_exactly_one_gzip_stream_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
