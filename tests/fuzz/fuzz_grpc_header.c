// SPDX-License-Identifier: Apache-2.0
// A request's header fields, one "name=value" a line (a name may begin with ':'), judged twice:
// with the metadata in memory given beforehand and on the heap from the start. Both must agree, and
// what is stored is bounded by the list limit.
#include "grpc/header.h"

#include "fuzz.h"

#define LIST_BYTES_MAX 2048

static const struct grpc_route routes[] = {
    {.method = {.path = "/abacus.v1.Adder/Add"}, .path_length = sizeof("/abacus.v1.Adder/Add") - 1},
};
static const struct grpc_header_rules rules = {routes, COUNT_OF(routes), LIST_BYTES_MAX};

// False: the list was too long.
static bool read_fields(struct grpc_header *header, const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    while (input.at < input.end) {
        const struct fuzz_text line = fuzz_line(&input);
        const char *equals = memchr(line.text, '=', line.length);
        const size_t name = equals != NULL ? (size_t)(equals - line.text) : line.length;
        const size_t skip = equals != NULL ? name + 1 : name;
        const uint8_t *text = (const uint8_t *)line.text;
        if (!grpc_header_field(header, &rules, (struct grpc_slice){text, name},
                               (struct grpc_slice){text + skip, line.length - skip}))
            return false;
    }
    return true;
}

static void expect_same_metadata(const struct grpc_metadata *left,
                                 const struct grpc_metadata *right)
{
    size_t left_at = 0, right_at = 0;
    struct grpc_metadatum l, r;
    while (grpc_metadata_next(left, &left_at, &l)) {
        CHECK(grpc_metadata_next(right, &right_at, &r));
        CHECK(l.name.length == r.name.length && l.value.length == r.value.length);
        CHECK(memcmp(l.name.data, r.name.data, l.name.length + 1) == 0);
        CHECK(memcmp(l.value.data, r.value.data, l.value.length + 1) == 0);
    }
    CHECK(!grpc_metadata_next(right, &right_at, &r));
    CHECK_INT(left_at, ==, left->packed.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t memory[192];
    struct grpc_header given, heap;
    grpc_header_init(&given, memory, sizeof(memory));
    grpc_header_init(&heap, NULL, 0);
    const bool ok = read_fields(&given, data, size);
    CHECK(read_fields(&heap, data, size) == ok);
    expect_same_metadata(&given.metadata, &heap.metadata);
    CHECK_INT(given.metadata.packed.length, <=, 4 * LIST_BYTES_MAX);
    const struct grpc_verdict verdict = grpc_header_judge(&given), other = grpc_header_judge(&heap);
    CHECK(verdict.status == other.status && verdict.http_status == other.http_status);
    CHECK(verdict.text != NULL && (verdict.status == GRPC_OK) == (verdict.text[0] == '\0'));
    if (verdict.status == GRPC_OK)
        CHECK(given.route != NULL && given.timeout_ns > 0);
    grpc_header_clear(&given);
    grpc_header_clear(&heap);
    return 0;
}
