// SPDX-License-Identifier: Apache-2.0
#include "telemetry/resource.h"

#include "base/version.h"

#include "unit.h"

#include <string.h>

static const struct trace_config program = {.service = "abacus-x", .instance = "one"};

static void the_environment_wins_over_the_program(void **state)
{
    (void)state;
    static const struct {
        const char *service_name, *attributes, *key, *value;
    } table[] = {
        {NULL, "", "service.name", "abacus-x"},
        {NULL, "", "service.version", ABACUS_VERSION},
        {NULL, "", "service.instance.id", "one"},
        {NULL, "", "telemetry.sdk.name", "abacus"},
        {NULL, "", "telemetry.sdk.language", "c"},
        {NULL, "", "telemetry.sdk.version", ABACUS_VERSION},
        {"mine", "", "service.name", "mine"},
        {NULL, "service.name=list", "service.name", "list"},
        {"mine", "service.name=list", "service.name", "mine"},
        {NULL, "service.instance.id=two", "service.instance.id", "two"},
        {NULL, "deployment.environment.name=test", "deployment.environment.name", "test"},
        {NULL, "telemetry.sdk.name=opentelemetry", "telemetry.sdk.name", "abacus"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_config environment = {.service_name = table[i].service_name};
        struct otel_list resource = {.count = 0};
        struct err err;
        assert_true(otel_list_parse(&environment.attributes, table[i].attributes, &err));
        resource_make(&resource, &program, &environment);
        const char *value = otel_list_get(&resource, table[i].key);
        EXPECT(value != NULL && strcmp(value, table[i].value) == 0, "\"%s\": %s is %s",
               table[i].attributes, table[i].key, value);
        otel_list_clear(&resource);
        otel_list_clear(&environment.attributes);
    }
}

static void labels_have_names_that_prometheus_takes_and_escaped_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *labels;
    } table[] = {
        {"service.name", "x", "service_name=\"x\""},
        {"a..b--c", "x", "a_b_c=\"x\""},
        {"1st", "x", "_1st=\"x\""},
        {"a", "say \"\\\n", "a=\"say \\\"\\\\\\n\""},
        {"\xc3\xa4", "\xc3\xa4", "_=\"\xc3\xa4\""},
        {"a", "red\033[31m\r", "a=\"red\xef\xbf\xbd[31m\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_list resource = {.count = 0};
        struct bytes labels = {0};
        assert_true(otel_list_set(&resource, table[i].key, table[i].value));
        resource_labels(&labels, &resource);
        assert_string_equal((const char *)labels.data, table[i].labels);
        bytes_clear(&labels);
        otel_list_clear(&resource);
    }
}

// A label twice would make Prometheus refuse the whole scrape.
static void keys_that_become_the_same_label_share_it(void **state)
{
    (void)state;
    struct otel_list resource = {.count = 0};
    struct bytes labels = {0};
    assert_true(otel_list_set(&resource, "team_name", "3"));
    assert_true(otel_list_set(&resource, "zone", "z"));
    assert_true(otel_list_set(&resource, "team.name", "2"));
    assert_true(otel_list_set(&resource, "team-name", "1"));
    resource_labels(&labels, &resource);
    assert_string_equal((const char *)labels.data, "team_name=\"1;2;3\",zone=\"z\"");
    bytes_clear(&labels);
    otel_list_clear(&resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_wins_over_the_program),
        cmocka_unit_test(labels_have_names_that_prometheus_takes_and_escaped_values),
        cmocka_unit_test(keys_that_become_the_same_label_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
