// SPDX-License-Identifier: Apache-2.0
#include "grpc/buffer.h"

#include "unit.h"

#include <string.h>

static void it_stays_in_the_given_memory_while_it_fits(void **state)
{
    (void)state;
    uint8_t memory[8];
    struct grpc_buffer b;
    grpc_buffer_init(&b, memory, sizeof(memory));
    grpc_buffer_append(&b, "12345678", 8);
    assert_ptr_equal(b.data, memory);
    grpc_buffer_append(&b, "9", 1);
    assert_ptr_not_equal(b.data, memory);
    assert_int_equal(b.length, 9);
    assert_memory_equal(b.data, "123456789", 9);
    grpc_buffer_clear(&b);
}

static void it_grows_from_nothing_and_from_the_heap(void **state)
{
    (void)state;
    struct grpc_buffer b;
    grpc_buffer_init(&b, NULL, 0);
    assert_non_null(grpc_buffer_reserve(&b, 0));
    for (int i = 0; i < 5000; i++) {
        const uint8_t byte = (uint8_t)i;
        grpc_buffer_append(&b, &byte, 1);
    }
    assert_int_equal(b.length, 5000);
    for (size_t i = 0; i < b.length; i++)
        EXPECT(b.data[i] == (uint8_t)i, "byte %zu is wrong", i);
    grpc_buffer_clear(&b);
    assert_int_equal(b.length, 0);
}

static void appending_nothing_changes_nothing(void **state)
{
    (void)state;
    struct grpc_buffer b;
    grpc_buffer_init(&b, NULL, 0);
    grpc_buffer_append(&b, NULL, 0);
    assert_null(b.data);
    grpc_buffer_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stays_in_the_given_memory_while_it_fits),
        cmocka_unit_test(it_grows_from_nothing_and_from_the_heap),
        cmocka_unit_test(appending_nothing_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
