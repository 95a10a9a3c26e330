// SPDX-License-Identifier: Apache-2.0
#include "cli/sse.h"

#include <string.h>

static void data_append(struct sse *s, const char *value, size_t length)
{
    if (s->data.length + length >= SSE_DATA_BYTES_MAX)
        s->too_large = true;
    if (s->too_large)
        return;
    if (s->any)
        bytes_append(&s->data, "\n", 1);
    bytes_append(&s->data, value, length);
    s->any = true;
}

static bool dispatch(struct sse *s, struct bytes *data)
{
    const bool whole = s->any && !s->too_large;
    if (whole) {
        *bytes_reserve(&s->data, 1) = '\0';
        *data = s->data;
    }
    s->any = s->too_large = false;
    return whole;
}

bool sse_line(struct sse *s, const char *line, size_t length, struct bytes *data)
{
    static const char field[] = "data";
    const size_t name = sizeof(field) - 1;
    if (!s->any)
        bytes_reset(&s->data); // what the last event left
    if (length == 0)
        return dispatch(s, data);
    if (length < name || memcmp(line, field, name) != 0)
        return false; // a comment, or another field
    if (length == name)
        data_append(s, "", 0);
    else if (line[name] == ':') {
        const size_t value = name + 1 + (length > name + 1 && line[name + 1] == ' ');
        data_append(s, line + value, length - value);
    }
    return false;
}

void sse_clear(struct sse *s)
{
    bytes_clear(&s->data);
}
