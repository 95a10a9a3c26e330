// SPDX-License-Identifier: Apache-2.0
// What strangers put into the metrics, one line each: the headers of a scrape, and a label value.
// However hostile, the label is one well-formed line that ends where it says.
#include "telemetry/metrics_state.h"

#include "fuzz.h"

#include <stdlib.h>

#define SHOWN_MAX (3 * METRIC_LABEL_BYTES) // all of it replaced by U+FFFD

static char *copy(struct fuzz_text line)
{
    char *text = xmalloc(line.length + 1);
    memcpy(text, line.text, line.length);
    text[line.length] = '\0';
    return text;
}

// at: behind the opening quote. Returns the closing one.
static const uint8_t *expect_well_formed(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != '"') {
        CHECK(*at >= ' ' && *at != 0x7f);
        if (*at == '\\') {
            at++;
            CHECK(at < end && strchr("\\\"n", *at) != NULL && *at != '\0');
        }
        const size_t n = bytes_utf8_length(at, (size_t)(end - at));
        CHECK(n > 0);
        at += n;
    }
    return at;
}

static void label(const char *value)
{
    static const char open[] = "reason=\"";
    struct bytes out = {0};
    metric_labels(&out, METRIC_WRITER_REFUSED, &value, 1);
    if (value[0] != '\0') {
        const uint8_t *end = out.data + out.length;
        CHECK(memcmp(out.data, open, strlen(open)) == 0);
        CHECK(expect_well_formed(out.data + strlen(open), end) == end - 1);
        CHECK_INT(out.length, <=, strlen(open) + SHOWN_MAX + 1);
    }
    bytes_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    char *accept = copy(fuzz_line(&input)), *encoding = copy(fuzz_line(&input));
    char *value = copy((struct fuzz_text){(const char *)input.at, (size_t)(input.end - input.at)});
    (void)metrics_format_of(accept);
    (void)metrics_may_gzip(encoding);
    label(value);
    free(value);
    free(encoding);
    free(accept);
    return 0;
}
