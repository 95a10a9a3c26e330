// SPDX-License-Identifier: Apache-2.0
// If-None-Match, the second line, against the tag in the first: a match means that the tag is in
// the text, or the text is a star; a list with the tag at its front always matches.
#include "totals/etag.h"

#include "fuzz.h"

#include <stdlib.h>

static char *terminated(const char *before, struct fuzz_text text, const char *after)
{
    return xasprintf("%s%.*s%s", before, (int)text.length, text.text, after);
}

static bool is_tag(struct fuzz_text text)
{
    for (size_t i = 0; i < text.length; i++) {
        const unsigned char c = (unsigned char)text.text[i];
        if (c <= 0x20 || c == '"' || c == 0x7f)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    const struct fuzz_text opaque = fuzz_line(&input), rest = fuzz_line(&input);
    if (!is_tag(opaque))
        return 0;
    char *tag = terminated("\"", opaque, "\""), *field = terminated("", rest, "");
    if (etag_matches(field, tag))
        CHECK(strstr(field, tag) != NULL || strchr(field, '*') != NULL);
    char *list = xasprintf("W/%s,%s", tag, field);
    CHECK(etag_matches(list, tag));
    free(list);
    free(field);
    free(tag);
    return 0;
}
