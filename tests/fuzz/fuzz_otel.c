// SPDX-License-Identifier: Apache-2.0
// Values of OTEL_* variables, one a line: a list, an endpoint, a ratio. What is taken is sound.
#include "telemetry/otel_config.h"
#include "telemetry/resource.h"

#include "fuzz.h"

#include <stdlib.h>

static char *line_copy(struct fuzz_input *input)
{
    const struct fuzz_text line = fuzz_line(input);
    return strndup(line.text, line.length);
}

static void feed_list(const char *text)
{
    struct otel_list list = {.count = 0};
    struct bytes labels = {0};
    struct err err = {.text = ""};
    if (otel_list_parse(&list, text, &err)) {
        for (size_t i = 0; i < list.count; i++) {
            CHECK(list.pairs[i].key[0] != '\0');
            CHECK(otel_list_get(&list, list.pairs[i].key) == list.pairs[i].value);
        }
        resource_labels(&labels, &list);
        CHECK(labels.length == 0 || memchr(labels.data, '\n', labels.length) == NULL);
    } else {
        CHECK(err.code == ERR_INVALID && err.text[0] != '\0');
    }
    CHECK_INT(list.count, <=, OTEL_LIST_MAX);
    bytes_clear(&labels);
    otel_list_clear(&list);
}

static void feed_endpoint(const char *text)
{
    char *own = otel_endpoint(text, false), *common = otel_endpoint(text, true);
    CHECK(own == NULL || strcmp(own, text) == 0);
    CHECK(common == NULL || own != NULL); // a base is an endpoint, too
    if (common != NULL)
        CHECK(strcmp(common + strlen(common) - strlen("/v1/traces"), "/v1/traces") == 0);
    free(common);
    free(own);
}

static void feed_ratio(const char *text)
{
    struct sampler sampler = {.threshold = 0};
    CHECK(sampler_ratio(text, &sampler) || sampler.threshold == 0);
    CHECK(sampler.threshold <= SAMPLER_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    char *list = line_copy(&input), *endpoint = line_copy(&input), *ratio = line_copy(&input);
    feed_list(list);
    feed_endpoint(endpoint);
    feed_ratio(ratio);
    free(ratio);
    free(endpoint);
    free(list);
    return 0;
}
