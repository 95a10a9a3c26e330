// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics.h"

#include "unit.h"

#include <string.h>

static const char *const names[] = {[METRICS_TEXT] = "text", [METRICS_OPENMETRICS] = "OpenMetrics"};

static const struct {
    const char *accept;
    enum metrics_format format;
} formats[] = {
    // what Prometheus sends: 3, the same with protobuf first, 2.42
    {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
     "application/openmetrics-text;version=0.0.1;q=0.5,"
     "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
     "*/*;q=0.2",
     METRICS_OPENMETRICS},
    {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
     "q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
     "application/openmetrics-text;version=0.0.1;q=0.4,"
     "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,"
     "*/*;q=0.1",
     METRICS_OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0,"
     "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     METRICS_OPENMETRICS},
    // people, and nobody
    {NULL, METRICS_TEXT},
    {"", METRICS_TEXT},
    {"*/*", METRICS_TEXT},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRICS_TEXT},
    // weights
    {"application/openmetrics-text", METRICS_OPENMETRICS},
    {"Application/OpenMetrics-Text; Version=1.0.0; Q=0.5", METRICS_OPENMETRICS},
    {"text/plain;q=0.5, application/openmetrics-text;q=0.5", METRICS_OPENMETRICS},
    {"text/plain;q=0.6, application/openmetrics-text;q=0.5", METRICS_TEXT},
    {"application/openmetrics-text;q=0.5, */*;q=0.8", METRICS_TEXT},
    {"application/openmetrics-text;q=0.5, */*;q=0.8, text/plain;q=0.1", METRICS_OPENMETRICS},
    {"application/openmetrics-text;q=0.5, */*;q=0.1, text/*;q=0.9", METRICS_TEXT},
    {"application/openmetrics-text;q=0", METRICS_TEXT},
    // versions that we do not speak
    {"application/openmetrics-text;version=0.0.1", METRICS_TEXT},
    {"application/openmetrics-text;version=2.0.0;q=1, text/plain;q=0.1", METRICS_TEXT},
    {"text/plain;version=1.0.0, application/openmetrics-text;q=0.1", METRICS_OPENMETRICS},
    // nonsense
    {",,;;q=,=", METRICS_TEXT},
    {"application/openmetrics-text;q=high", METRICS_TEXT},
    {"application/openmetrics-text;q=nan", METRICS_TEXT},
    {"application/openmetrics-text;q=-1", METRICS_TEXT},
    {"application/openmetrics-text;q=1e9", METRICS_TEXT},
    {"application/openmetrics-texts", METRICS_TEXT},
    {"application/openmetrics-text;;;", METRICS_OPENMETRICS},
};

static void the_scraper_gets_the_format_that_it_prefers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        const enum metrics_format got = metrics_format_of(formats[i].accept);
        EXPECT(got == formats[i].format, "Accept: %s: got %s, want %s", formats[i].accept,
               names[got], names[formats[i].format]);
    }
}

static const struct {
    const char *accept_encoding;
    bool may;
} encodings[] = {
    {"gzip", true},
    {"gzip, deflate, br", true},
    {"deflate, GZIP;q=0.1", true},
    {NULL, false},
    {"", false},
    {"identity", false},
    {"gzip;q=0", false},
    {"gzip;q=0.000, identity", false},
    {"br, deflate", false},
    {"gzipped", false},
};

static void the_page_is_packed_only_for_who_can_unpack_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++)
        EXPECT(metrics_may_gzip(encodings[i].accept_encoding) == encodings[i].may,
               "Accept-Encoding: %s: want %s", encodings[i].accept_encoding,
               encodings[i].may ? "gzip" : "plain");
}

static void the_content_type_names_format_and_version(void **state)
{
    (void)state;
    assert_string_equal(metrics_content_type(METRICS_TEXT),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(metrics_content_type(METRICS_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scraper_gets_the_format_that_it_prefers),
        cmocka_unit_test(the_page_is_packed_only_for_who_can_unpack_it),
        cmocka_unit_test(the_content_type_names_format_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
