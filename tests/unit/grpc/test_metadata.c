// SPDX-License-Identifier: Apache-2.0
#include "grpc/metadata.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct grpc_slice slice(const char *text)
{
    return (struct grpc_slice){(const uint8_t *)text, strlen(text)};
}

// "name=value;…" of all, in order.
static const char *shown(const struct grpc_metadata *m)
{
    static char text[512];
    struct grpc_metadatum entry;
    size_t used = 0;
    text[0] = '\0';
    for (size_t at = 0; grpc_metadata_next(m, &at, &entry);)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s=%.*s;",
                                 (int)entry.name.length, (const char *)entry.name.data,
                                 (int)entry.value.length, (const char *)entry.value.data);
    return text;
}

struct field {
    const char *name, *value;
};

static void received_fields_are_joined_split_and_decoded(void **state)
{
    (void)state;
    static const struct {
        struct field fields[4];
        const char *want; // NULL: the last is refused
    } table[] = {
        {{{"a", "1"}}, "a=1;"},
        {{{"a", ""}}, "a=;"},
        {{{"a", "1"}, {"b", "2"}, {"a", "3"}}, "a=1,3;b=2;"},
        {{{"a", ""}, {"a", ""}}, "a=,;"},
        {{{"ab", "1"}, {"a", "2"}}, "ab=1;a=2;"},
        {{{"x-bin", "Zm9v"}}, "x-bin=foo;"},
        {{{"x-bin", "Zm8="}}, "x-bin=fo;"},
        {{{"x-bin", "Zm8"}, {"x-bin", "YQ"}}, "x-bin=fo;x-bin=a;"},
        {{{"x-bin", "Zm8,YQ"}}, "x-bin=fo;"},
        {{{"x-bin", ""}}, "x-bin=;"},
        {{{"x-bin", ","}}, "x-bin=;"},
        {{{"x-bin", "Zm8,"}}, "x-bin=fo;"},
        {{{"x-bin", "?"}}, NULL},
        {{{"x-bin", "Zm8,?"}}, NULL},
        {{{"bin", "?"}}, "bin=?;"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        for (int given = 0; given < 2; given++) { // with memory given, and without
            uint8_t memory[24];
            struct grpc_metadata m;
            grpc_metadata_init(&m, given ? memory : NULL, given ? sizeof(memory) : 0);
            bool ok = true;
            for (size_t f = 0; f < 4 && table[i].fields[f].name != NULL; f++)
                ok &= grpc_metadata_receive(&m, slice(table[i].fields[f].name),
                                            slice(table[i].fields[f].value));
            EXPECT(ok == (table[i].want != NULL), "row %zu: ok is %d", i, ok);
            EXPECT(!ok || strcmp(shown(&m), table[i].want) == 0, "row %zu: got %s", i, shown(&m));
            grpc_metadata_clear(&m);
        }
    }
}

static void binary_values_are_encoded_for_the_wire(void **state)
{
    (void)state;
    struct grpc_metadata m;
    grpc_metadata_init(&m, NULL, 0);
    grpc_metadata_send(&m, "x-bin", "\0\1", 2);
    grpc_metadata_send(&m, "x", "plain", 5);
    grpc_metadata_send(&m, "x", "again", 5);
    grpc_metadata_send(&m, "x-bin", "", 0);
    assert_string_equal(shown(&m), "x-bin=AAE;x=plain,again;x-bin=;");
    grpc_metadata_clear(&m);
}

static void a_value_is_found_by_its_exact_name(void **state)
{
    (void)state;
    struct grpc_metadata m;
    grpc_metadata_init(&m, NULL, 0);
    grpc_metadata_add(&m, slice("trace"), slice("1"));
    grpc_metadata_add(&m, slice("traceparent"), slice("2"));
    size_t length = 99;
    assert_string_equal(grpc_metadata_find(&m, "traceparent", &length), "2");
    assert_int_equal(length, 1);
    assert_string_equal(grpc_metadata_find(&m, "trace", NULL), "1");
    assert_null(grpc_metadata_find(&m, "tracepar", &length));
    assert_null(grpc_metadata_find(&m, "", &length));
    grpc_metadata_clear(&m);
}

static void many_values_in_a_field_cost_no_more_than_their_bytes(void **state)
{
    (void)state;
    char name[1000 + sizeof("-bin")], commas[1001];
    memset(name, 'n', 1000);
    memcpy(name + 1000, "-bin", sizeof("-bin"));
    memset(commas, ',', 1000);
    commas[1000] = '\0';
    struct grpc_metadata m;
    grpc_metadata_init(&m, NULL, 0);
    assert_true(grpc_metadata_receive(&m, slice(name), slice(commas)));
    assert_true(m.packed.length < 1100);
    grpc_metadata_clear(&m);
}

static void a_name_repeated_a_thousand_times_costs_only_its_bytes(void **state)
{
    (void)state;
    struct grpc_metadata m;
    grpc_metadata_init(&m, NULL, 0);
    for (int i = 0; i < 1000; i++)
        grpc_metadata_add(&m, slice("a"), slice("1"));
    assert_true(m.packed.length < 2100);
    size_t length;
    assert_non_null(grpc_metadata_find(&m, "a", &length));
    assert_int_equal(length, 1999);
    grpc_metadata_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received_fields_are_joined_split_and_decoded),
        cmocka_unit_test(binary_values_are_encoded_for_the_wire),
        cmocka_unit_test(a_value_is_found_by_its_exact_name),
        cmocka_unit_test(many_values_in_a_field_cost_no_more_than_their_bytes),
        cmocka_unit_test(a_name_repeated_a_thousand_times_costs_only_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
