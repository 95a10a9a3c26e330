// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http_path.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_target_is_taken_apart(void **state)
{
    (void)state;
    // query: each parameter as "name=value;"
    static const struct {
        const char *target, *path, *query;
    } table[] = {
        {"/", "/", ""},
        {"/v1/total", "/v1/total", ""},
        {"/v1/total?", "/v1/total", ""},
        {"/v1/a%2Fb?x=1", "/v1/a%2Fb", "x=1;"},
        {"/a?x=1&y=2", "/a", "x=1;y=2;"},
        {"/a?x", "/a", "x=;"},
        {"/a?x=", "/a", "x=;"},
        {"/a?=1", "/a", "=1;"},
        {"/a?x=1=2", "/a", "x=1=2;"},
        {"/a?&&x=1&", "/a", "x=1;"},
        {"/a?x=1+2%2B3", "/a", "x=1 2+3;"},
        {"/a?%78%3d=%26%c3%a4", "/a", "x==&\xc3\xa4;"},
        {"/a?b?c=/d", "/a", "b?c=/d;"},
        {"http://example.com/v1?x=1", "/v1", "x=1;"},
        {"HTTPS://example.com:8443/v1", "/v1", ""},
        {"http://example.com", "/", ""},
        {"http://example.com?x=/y", "/", "x=/y;"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[100], query[100] = "";
        snprintf(text, sizeof(text), "%s", table[i].target);
        struct http_target target;
        EXPECT(http_target_parse(text, &target), "\"%s\": refused", table[i].target);
        assert_string_equal(target.path, table[i].path);
        for (size_t k = 0; k < target.query_count; k++) {
            const size_t at = strlen(query);
            snprintf(query + at, sizeof(query) - at, "%s=%s;", target.query[k].name,
                     target.query[k].value);
        }
        EXPECT(strcmp(query, table[i].query) == 0, "\"%s\": query \"%s\"", table[i].target, query);
    }
}

static void a_malformed_target_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "*",
        "v1/total",
        "?x=1",
        "ftp://example.com/",
        "http:/x",
        "/%",
        "/%4",
        "/%4g",
        "/%g4",
        "/%00",
        "/a?x=%",
        "/a?%00=1",
        "/a b",
        "/a\tb",
        "/a\x7f",
        "/\xc3\xa4", // must be encoded
        "/a#fragment",
        "/a?x#fragment",
        "/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[100];
        snprintf(text, sizeof(text), "%s", table[i]);
        struct http_target target;
        EXPECT(!http_target_parse(text, &target), "\"%s\": taken", table[i]);
    }
}

static void the_first_parameter_of_a_name_counts(void **state)
{
    (void)state;
    char text[] = "/a?x=1&y&x=2&X=3";
    struct http_target target;
    assert_true(http_target_parse(text, &target));
    assert_string_equal(http_target_query(&target, "x"), "1");
    assert_string_equal(http_target_query(&target, "X"), "3");
    assert_string_equal(http_target_query(&target, "y"), "");
    assert_null(http_target_query(&target, "z"));
}

static void a_path_matches_literally_or_with_one_segment_to_fill(void **state)
{
    (void)state;
    // variable: decoded; NULL: there is none
    static const struct {
        const char *pattern, *path;
        bool matches;
        const char *variable;
    } table[] = {
        {"/v1/total", "/v1/total", true, NULL},
        {"/v1/total", "/v1/%74ot%61l", true, NULL},
        {"/v1/total", "/v1/total/", false, NULL},
        {"/v1/total", "/v1/tota", false, NULL},
        {"/v1/total", "/v1/Total", false, NULL},
        {"/v1/total", "/v1%2ftotal", false, NULL}, // an encoded slash does not separate
        {"/", "/", true, NULL},
        {"/v1/sources/{source}", "/v1/sources/a", true, "a"},
        {"/v1/sources/{source}", "/v1/sources/a%2Fb%20c", true, "a/b c"},
        {"/v1/sources/{source}", "/v1/sources/%7Bsource%7D", true, "{source}"},
        {"/v1/sources/{source}", "/v1/s%6furces/a+b", true, "a+b"},
        {"/v1/sources/{source}", "/v1/sources/", false, NULL},
        {"/v1/sources/{source}", "/v1/sources", false, NULL},
        {"/v1/sources/{source}", "/v1/sources/a/b", false, NULL},
        {"/v1/sources/{source}", "/v1/sources/a/", false, NULL},
        {"/v1/sources/{source}", "/v1/other/a", false, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char path[100], *variable = NULL;
        snprintf(path, sizeof(path), "%s", table[i].path);
        const bool matches = http_path_match(table[i].pattern, path, &variable);
        EXPECT(matches == table[i].matches, "%s on %s: %d", table[i].pattern, table[i].path,
               matches);
        if (!matches || table[i].variable == NULL) {
            EXPECT(!matches || variable == NULL, "%s: a variable", table[i].path);
            continue;
        }
        http_percent_decode(variable);
        assert_string_equal(variable, table[i].variable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_taken_apart),
        cmocka_unit_test(a_malformed_target_is_refused),
        cmocka_unit_test(the_first_parameter_of_a_name_counts),
        cmocka_unit_test(a_path_matches_literally_or_with_one_segment_to_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
