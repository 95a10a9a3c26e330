// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otel_config.h"

#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

// --- the environment, and what is warned of meanwhile ---
#define VARIABLES_MAX 4 // of a row: "NAME=value", without their OTEL_
static char said[8192];

static void environment_clear(void)
{
    char name[100];
    for (char **at = environ; *at != NULL;) {
        const size_t length = strcspn(*at, "=");
        if (strncmp(*at, "OTEL_", 5) == 0 && length < sizeof(name)) {
            snprintf(name, sizeof(name), "%.*s", (int)length, *at);
            unsetenv(name);
            at = environ; // it has changed
        } else {
            at++;
        }
    }
}

static void environment_set(const char *const *pairs)
{
    environment_clear();
    for (size_t i = 0; i < VARIABLES_MAX && pairs[i] != NULL; i++) {
        char name[100];
        const size_t length = strcspn(pairs[i], "=");
        snprintf(name, sizeof(name), "OTEL_%.*s", (int)length, pairs[i]);
        setenv(name, pairs[i] + length + 1, 1);
    }
}

// Reads the configuration; what goes to the log meanwhile is in said.
static void config_read(struct otel_config *config, const char *const *pairs)
{
    environment_set(pairs);
    FILE *file = tmpfile();
    assert_non_null(file);
    const int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    otel_config_read(config);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
}

// warned: what the warning must name; NULL: there must be none.
static void expect_warning(const char *const *pairs, const char *warned)
{
    EXPECT(warned != NULL || said[0] == '\0', "%s: warned without need: %s", pairs[0], said);
    EXPECT(warned == NULL || strstr(said, warned) != NULL, "%s: no word of %s: \"%s\"", pairs[0],
           warned, said);
}

static void traces_are_exported_only_when_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *pairs[VARIABLES_MAX];
        bool export, disabled;
        const char *warned;
    } table[] = {
        {{"X="}, false, false, NULL},
        {{"TRACES_EXPORTER=otlp"}, true, false, NULL},
        {{"TRACES_EXPORTER=none"}, false, false, NULL},
        {{"TRACES_EXPORTER=", "EXPORTER_OTLP_ENDPOINT="}, false, false, NULL}, // empty is unset
        {{"TRACES_EXPORTER=console"}, false, false, "OTEL_TRACES_EXPORTER"},
        {{"TRACES_EXPORTER=zipkin", "EXPORTER_OTLP_ENDPOINT=http://c:1"}, false, false, "zipkin"},
        {{"EXPORTER_OTLP_ENDPOINT=http://c:4318"}, true, false, NULL},
        {{"EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/x"}, true, false, NULL},
        {{"EXPORTER_OTLP_ENDPOINT=http://c:4318", "TRACES_EXPORTER=none"}, false, false, NULL},
        {{"EXPORTER_OTLP_ENDPOINT=c:4318"}, false, false, "OTEL_EXPORTER_OTLP_ENDPOINT"},
        {{"TRACES_EXPORTER=otlp", "SDK_DISABLED=true"}, false, true, NULL},
        {{"TRACES_EXPORTER=otlp", "SDK_DISABLED=TRUE"}, false, true, NULL},
        {{"TRACES_EXPORTER=otlp", "SDK_DISABLED=False"}, true, false, NULL},
        {{"TRACES_EXPORTER=otlp", "SDK_DISABLED=1"}, true, false, "OTEL_SDK_DISABLED"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_config config;
        config_read(&config, table[i].pairs);
        EXPECT(config.export == table[i].export, "%s: export is %d", table[i].pairs[0],
               config.export);
        EXPECT(config.disabled == table[i].disabled, "%s: disabled is %d", table[i].pairs[0],
               config.disabled);
        expect_warning(table[i].pairs, table[i].warned);
        otel_config_clear(&config);
    }
}

static void the_path_of_traces_is_appended_to_the_common_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool base;
        const char *endpoint; // NULL: refused
    } table[] = {
        {"http://c:4318", true, "http://c:4318/v1/traces"},
        {"http://c:4318/", true, "http://c:4318/v1/traces"},
        {"https://c/x", true, "https://c/x/v1/traces"},
        {"https://c/x/", true, "https://c/x/v1/traces"},
        {"HTTP://c", true, "HTTP://c/v1/traces"},
        {"http://[::1]:4318", true, "http://[::1]:4318/v1/traces"},
        {"http://c:4318", false, "http://c:4318"}, // as it is
        {"http://c:4318/v1/traces?tenant=1", false, "http://c:4318/v1/traces?tenant=1"},
        {"http://c:4318/?tenant=1", true, NULL}, // where would the path go?
        {"c:4318", true, NULL},
        {"grpc://c:4317", true, NULL},
        {"http://", true, NULL},
        {"http:///x", false, NULL},
        {"http://:4318", false, NULL},
        {"http://c 4318", false, NULL},
        {"http://c\n", false, NULL},
        {"", false, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char *endpoint = otel_endpoint(table[i].url, table[i].base);
        const bool both = endpoint != NULL && table[i].endpoint != NULL;
        EXPECT(both ? strcmp(endpoint, table[i].endpoint) == 0 : endpoint == table[i].endpoint,
               "\"%s\": %s", table[i].url, endpoint == NULL ? "refused" : endpoint);
        free(endpoint);
    }
}

static void the_variable_of_traces_wins_over_the_common_one(void **state)
{
    (void)state;
    struct otel_config config;
    config_read(&config, (const char *[VARIABLES_MAX]){
                             "EXPORTER_OTLP_ENDPOINT=http://common:1",
                             "EXPORTER_OTLP_TRACES_ENDPOINT=http://own:1/y",
                             "EXPORTER_OTLP_TIMEOUT=1", "EXPORTER_OTLP_TRACES_TIMEOUT=2"});
    assert_string_equal(config.endpoint, "http://own:1/y");
    assert_int_equal(config.timeout_ms, 2);
    otel_config_clear(&config);
    config_read(&config, (const char *[VARIABLES_MAX]){
                             "TRACES_EXPORTER=otlp", "EXPORTER_OTLP_HEADERS=a=1,b=2",
                             "EXPORTER_OTLP_TRACES_HEADERS=c=3", "EXPORTER_OTLP_CERTIFICATE=/ca"});
    assert_string_equal(config.endpoint, "http://localhost:4318/v1/traces");
    assert_int_equal(config.headers.count, 1);
    assert_string_equal(otel_list_get(&config.headers, "c"), "3");
    assert_string_equal(config.certificate, "/ca");
    otel_config_clear(&config);
}

#define OFFSET(name) offsetof(struct otel_config, name)
static void numbers_that_make_no_sense_give_way_to_the_default(void **state)
{
    (void)state;
    static const struct {
        const char *pair;
        size_t offset;
        int64_t number;
        const char *warned;
    } table[] = {
        {"X=", OFFSET(schedule_delay_ms), 5000, NULL},
        {"X=", OFFSET(export_timeout_ms), 30000, NULL},
        {"X=", OFFSET(queue_max), 2048, NULL},
        {"X=", OFFSET(batch_max), 512, NULL},
        {"X=", OFFSET(timeout_ms), 10000, NULL},
        {"BSP_SCHEDULE_DELAY=100", OFFSET(schedule_delay_ms), 100, NULL},
        {"BSP_SCHEDULE_DELAY=soon", OFFSET(schedule_delay_ms), 5000, "OTEL_BSP_SCHEDULE_DELAY"},
        {"BSP_SCHEDULE_DELAY=-1", OFFSET(schedule_delay_ms), 5000, "OTEL_BSP_SCHEDULE_DELAY"},
        {"BSP_EXPORT_TIMEOUT=1e3", OFFSET(export_timeout_ms), 30000, "OTEL_BSP_EXPORT_TIMEOUT"},
        {"BSP_MAX_QUEUE_SIZE=0", OFFSET(queue_max), 2048, "OTEL_BSP_MAX_QUEUE_SIZE"},
        {"BSP_MAX_QUEUE_SIZE=99999999999999999999", OFFSET(queue_max), 2048, "QUEUE_SIZE"},
        {"BSP_MAX_EXPORT_BATCH_SIZE=1", OFFSET(batch_max), 1, NULL},
        {"BSP_MAX_EXPORT_BATCH_SIZE=4096", OFFSET(batch_max), 2048, "more than"},
        {"EXPORTER_OTLP_TIMEOUT=0", OFFSET(timeout_ms), 0, NULL}, // no limit
        {"EXPORTER_OTLP_TIMEOUT=10s", OFFSET(timeout_ms), 10000, "OTEL_EXPORTER_OTLP_TIMEOUT"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_config config;
        const char *const pairs[VARIABLES_MAX] = {table[i].pair, "TRACES_EXPORTER=otlp"};
        config_read(&config, pairs);
        const int64_t number = *(int64_t *)(void *)((char *)&config + table[i].offset);
        EXPECT(number == table[i].number, "%s: %" PRId64, table[i].pair, number);
        expect_warning(pairs, table[i].warned);
        otel_config_clear(&config);
    }
}

static void words_that_make_no_sense_are_named_with_what_is_done_instead(void **state)
{
    (void)state;
    static const struct {
        const char *pairs[VARIABLES_MAX];
        const char *warned;
    } table[] = {
        {{"EXPORTER_OTLP_PROTOCOL=http/protobuf"}, NULL},
        {{"EXPORTER_OTLP_PROTOCOL=grpc"}, "http/protobuf is used"},
        {{"EXPORTER_OTLP_TRACES_PROTOCOL=http/json"}, "http/protobuf is used"},
        {{"EXPORTER_OTLP_COMPRESSION=none"}, NULL},
        {{"EXPORTER_OTLP_COMPRESSION=zstd"}, "none is used"},
        {{"EXPORTER_OTLP_HEADERS=a=b"}, NULL},
        {{"EXPORTER_OTLP_HEADERS=a"}, "OTEL_EXPORTER_OTLP_HEADERS"},
        {{"EXPORTER_OTLP_HEADERS=a=b%0d%0ac: d"}, "OTEL_EXPORTER_OTLP_HEADERS"},
        {{"EXPORTER_OTLP_HEADERS=a b=c"}, "OTEL_EXPORTER_OTLP_HEADERS"},
        {{"RESOURCE_ATTRIBUTES=a=b,c"}, "OTEL_RESOURCE_ATTRIBUTES"},
        {{"TRACES_SAMPLER=traceidratio", "TRACES_SAMPLER_ARG=0.5"}, NULL},
        {{"TRACES_SAMPLER=traceidratio", "TRACES_SAMPLER_ARG=2"}, "1.0 is used"},
        {{"TRACES_SAMPLER=sometimes"}, "parentbased_always_on is used"},
        {{"TRACES_SAMPLER=always_on", "TRACES_SAMPLER_ARG=1"}, "OTEL_TRACES_SAMPLER_ARG"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_config config;
        const char *pairs[VARIABLES_MAX] = {table[i].pairs[0], table[i].pairs[1],
                                            "TRACES_EXPORTER=otlp"};
        if (pairs[1] == NULL)
            pairs[1] = "X=";
        config_read(&config, pairs);
        assert_true(config.export);
        expect_warning(table[i].pairs, table[i].warned);
        EXPECT(table[i].warned == NULL ||
                   (config.headers.count == 0 && !config.gzip && config.attributes.count == 0),
               "%s: something of it is used", pairs[0]);
        otel_config_clear(&config);
    }
}

static void a_warning_tells_no_secret(void **state)
{
    (void)state;
    static const char *const table[][VARIABLES_MAX] = {
        {"TRACES_EXPORTER=otlp", "EXPORTER_OTLP_HEADERS=authorization=Bearer hush%0a"},
        {"EXPORTER_OTLP_ENDPOINT=htp://me:hush@host"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct otel_config config;
        config_read(&config, table[i]);
        EXPECT(said[0] != '\0' && strstr(said, "hush") == NULL, "row %zu: %s", i, said);
        otel_config_clear(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traces_are_exported_only_when_asked_for),
        cmocka_unit_test(the_path_of_traces_is_appended_to_the_common_endpoint),
        cmocka_unit_test(the_variable_of_traces_wins_over_the_common_one),
        cmocka_unit_test(numbers_that_make_no_sense_give_way_to_the_default),
        cmocka_unit_test(words_that_make_no_sense_are_named_with_what_is_done_instead),
        cmocka_unit_test(a_warning_tells_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
