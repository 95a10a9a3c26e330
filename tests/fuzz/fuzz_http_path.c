// SPDX-License-Identifier: Apache-2.0
// An HTTP request's target against a route, one line each: whatever is accepted stays within what
// was given, and a path without encodings is matched by itself and nothing else.
#include "telemetry/http_path.h"

#include "fuzz.h"

#include <stdlib.h>

static char *copy(struct fuzz_text line)
{
    char *text = xmalloc(line.length + 1);
    memcpy(text, line.text, line.length);
    text[line.length] = '\0';
    return text;
}

static void expect_within(const char *text, size_t length, const char *part)
{
    CHECK(part[0] == '\0' || (part >= text && part + strlen(part) <= text + length));
}

static void expect_matches_itself(char *path)
{
    char *variable;
    if (strpbrk(path, "%{") == NULL)
        CHECK(http_path_match(path, path, &variable) && variable == NULL);
}

static void match(const char *pattern, char *path)
{
    char *variable;
    if (!http_path_match(pattern, path, &variable))
        return;
    CHECK((variable == NULL) == (strchr(pattern, '{') == NULL));
    if (variable == NULL)
        return;
    CHECK(variable[0] != '\0' && strchr(variable, '/') == NULL);
    const size_t encoded = strlen(variable);
    http_percent_decode(variable);
    CHECK_INT(strlen(variable), >=, (encoded + 2) / 3);
    CHECK_INT(strlen(variable), <=, encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    char *pattern = copy(fuzz_line(&input));
    const struct fuzz_text line = fuzz_line(&input);
    char *text = copy(line);
    struct http_target target;
    if (http_target_parse(text, &target)) {
        CHECK(target.path[0] == '/' && target.query_count <= HTTP_QUERY_MAX);
        expect_within(text, line.length, target.path);
        for (size_t i = 0; i < target.query_count; i++) {
            expect_within(text, line.length, target.query[i].name);
            expect_within(text, line.length, target.query[i].value);
            CHECK(http_target_query(&target, target.query[i].name) != NULL);
        }
        expect_matches_itself(target.path);
        match(pattern, target.path);
    }
    free(text);
    free(pattern);
    return 0;
}
