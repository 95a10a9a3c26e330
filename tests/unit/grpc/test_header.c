// SPDX-License-Identifier: Apache-2.0
#include "grpc/header.h"

#include "base/clock.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define LIST_BYTES_MAX 1024

static const struct grpc_route routes[] = {
    {.method = {.path = "/a.B/C"}, .path_length = 6},
    {.method = {.path = "/a.B/Cd"}, .path_length = 7},
};
static const struct grpc_header_rules rules = {routes, COUNT_OF(routes), LIST_BYTES_MAX};

static bool field(struct grpc_header *h, const char *name, const char *value)
{
    return grpc_header_field(h, &rules, (struct grpc_slice){(const uint8_t *)name, strlen(name)},
                             (struct grpc_slice){(const uint8_t *)value, strlen(value)});
}

// Fields as "name: value" lines, on top of a request that is right.
static void read_request(struct grpc_header *h, const char *path, const char *more)
{
    static char text[1024];
    grpc_header_init(h, NULL, 0);
    assert_true(field(h, ":method", "POST"));
    assert_true(field(h, ":scheme", "http"));
    assert_true(field(h, ":path", path));
    assert_true(field(h, ":authority", "localhost"));
    assert_true(field(h, "te", "trailers"));
    assert_true(field(h, "content-type", "application/grpc"));
    assert_true((size_t)snprintf(text, sizeof(text), "%s", more) < sizeof(text));
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
        char *value = strstr(line, ": ");
        *value = '\0';
        assert_true(field(h, line, value + 2));
    }
}

static void each_situation_gets_its_answer(void **state)
{
    (void)state;
    static const struct {
        const char *path, *more, *http_status;
        enum grpc_status status;
    } table[] = {
        {"/a.B/C", "", "200", GRPC_OK},
        {"/a.B/Cd", "", "200", GRPC_OK},
        // the last one counts
        {"/a.B/C", ":method: GET", "405", GRPC_INTERNAL},
        {"/a.B/C", ":method: post", "405", GRPC_INTERNAL},
        {"/a.B/C", "content-type: text/plain", "415", GRPC_INVALID_ARGUMENT},
        {"/a.B/C", "content-type: application/grpc-web", "415", GRPC_INVALID_ARGUMENT},
        {"/a.B/C", "content-type: application/grpcx", "415", GRPC_INVALID_ARGUMENT},
        {"/a.B/C", "content-type: application/grp", "415", GRPC_INVALID_ARGUMENT},
        {"/a.B/C", "content-type: ", "415", GRPC_INVALID_ARGUMENT},
        {"/a.B/C", "content-type: application/grpc+proto", "200", GRPC_OK},
        {"/a.B/C", "content-type: application/grpc;x=y", "200", GRPC_OK},
        {"/a.B/C", "host: a", "200", GRPC_OK},
        {"/a.B/C", "grpc-timeout: 1s", "400", GRPC_INTERNAL},
        {"/a.B/C", "grpc-timeout: 123456789S", "400", GRPC_INTERNAL},
        {"/a.B/C", "grpc-timeout: 1S", "200", GRPC_OK},
        {"/a.B/C", "grpc-timeout: 0S", "200", GRPC_DEADLINE_EXCEEDED},
        {"/a.B/C", "x-bin: *", "400", GRPC_INTERNAL},
        {"/a.B/C", "x-bin: Zg", "200", GRPC_OK},
        {"/a.B/c", "", "200", GRPC_UNIMPLEMENTED},
        {"/a.B/Cde", "", "200", GRPC_UNIMPLEMENTED},
        {"/a.B", "", "200", GRPC_UNIMPLEMENTED},
        {"a.B/C", "", "200", GRPC_UNIMPLEMENTED},
        {"*", "", "200", GRPC_UNIMPLEMENTED},
        {"", "", "200", GRPC_UNIMPLEMENTED},
        {"/a.B/C", "grpc-encoding: identity", "200", GRPC_OK},
        {"/a.B/C", "grpc-encoding: gzip", "200", GRPC_OK},
        {"/a.B/C", "grpc-encoding: snappy", "200", GRPC_UNIMPLEMENTED},
        {"/a.B/C", "grpc-encoding: ", "200", GRPC_UNIMPLEMENTED},
        // The deadline of a call that cannot be made does not matter.
        {"/a.B/X", "grpc-timeout: 0S", "200", GRPC_UNIMPLEMENTED},
        {"/a.B/C", "grpc-future: x", "200", GRPC_OK},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct grpc_header h;
        read_request(&h, table[i].path, table[i].more);
        const struct grpc_verdict got = grpc_header_judge(&h);
        EXPECT(got.status == table[i].status && strcmp(got.http_status, table[i].http_status) == 0,
               "%s with %s: got HTTP %s, %s", table[i].path, table[i].more, got.http_status,
               grpc_status_name((int)got.status));
        EXPECT((got.status == GRPC_OK) == (got.text[0] == '\0'), "row %zu: text \"%s\"", i,
               got.text);
        grpc_header_clear(&h);
    }
}

static void nothing_at_all_is_refused(void **state)
{
    (void)state;
    struct grpc_header h;
    grpc_header_init(&h, NULL, 0);
    assert_string_equal(grpc_header_judge(&h).http_status, "405");
    grpc_header_clear(&h);
}

static void only_custom_fields_become_metadata(void **state)
{
    (void)state;
    struct grpc_header h;
    read_request(&h, "/a.B/C",
                 "grpc-timeout: 5S\ngrpc-encoding: gzip\nuser-agent: me\nhost: x\n"
                 "grpc-future: y\ntraceparent: 00\nx-bin: Zg");
    assert_ptr_equal(h.route, &routes[0]);
    assert_int_equal(h.timeout_ns, 5 * NS_PER_S);
    assert_int_equal(h.encoding, GRPC_ENCODING_GZIP);
    assert_string_equal(grpc_metadata_find(&h.metadata, "traceparent", NULL), "00");
    assert_string_equal(grpc_metadata_find(&h.metadata, "x-bin", NULL), "f");
    struct grpc_metadatum entry;
    int count = 0;
    for (size_t at = 0; grpc_metadata_next(&h.metadata, &at, &entry);)
        count++;
    assert_int_equal(count, 2);
    grpc_header_clear(&h);
}

static void a_list_is_too_long_by_bytes_or_by_fields(void **state)
{
    (void)state;
    struct grpc_header h;
    char value[LIST_BYTES_MAX];
    memset(value, 'v', sizeof(value));
    grpc_header_init(&h, NULL, 0);
    value[LIST_BYTES_MAX - 33] = '\0'; // name 1 + value 991 + 32 = the limit
    assert_true(field(&h, "a", value));
    assert_false(field(&h, "", ""));
    grpc_header_clear(&h);

    struct grpc_header_rules wide = rules;
    wide.list_bytes_max = SIZE_MAX;
    grpc_header_init(&h, NULL, 0);
    const struct grpc_slice name = {(const uint8_t *)"a", 1};
    for (int i = 0; i < GRPC_HEADER_FIELDS_MAX; i++)
        assert_true(grpc_header_field(&h, &wide, name, name));
    assert_false(grpc_header_field(&h, &wide, name, name));
    grpc_header_clear(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_situation_gets_its_answer),
        cmocka_unit_test(nothing_at_all_is_refused),
        cmocka_unit_test(only_custom_fields_become_metadata),
        cmocka_unit_test(a_list_is_too_long_by_bytes_or_by_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
