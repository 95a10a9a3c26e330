// SPDX-License-Identifier: Apache-2.0
// Label values come from anywhere: a client's method, a peer's error. What comes out is well-formed
// UTF-8 on one line, whatever went in.
#include "telemetry/metrics_state.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" // U+FFFD

static void escape_one(struct bytes *out, const uint8_t *at, size_t length, bool quotes)
{
    if (*at == '\n')
        bytes_append_text(out, "\\n");
    else if (length == 0 || *at < ' ' || *at == 0x7f)
        bytes_append_text(out, REPLACEMENT);
    else if (*at == '\\' || (quotes && *at == '"'))
        bytes_printf(out, "\\%c", *at);
    else
        bytes_append(out, at, length);
}

void metric_escape(struct bytes *out, const char *text, size_t length, bool quotes)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    while (at < end) {
        const size_t n = bytes_utf8_length(at, (size_t)(end - at));
        escape_one(out, at, n, quotes);
        at += n == 0 ? 1 : n;
    }
}

static void label(struct bytes *out, const char *name, size_t name_length, const char *value)
{
    bytes_append_text(out, out->length > 0 ? "," : "");
    bytes_append(out, name, name_length);
    bytes_append_text(out, "=\"");
    metric_escape(out, value, bytes_utf8_cut(value, METRIC_LABEL_BYTES), true);
    bytes_append_text(out, "\"");
}

void metric_labels(struct bytes *out, enum metric_id id, const char *const *values, size_t count)
{
    const struct metric_info *info = metric_info(id);
    bytes_append_text(out, info->constant);
    const char *name = info->labels;
    size_t given = 0;
    while (*name != '\0') {
        const size_t length = strcspn(name, " ");
        CHECK_INT(given, <, count); // as many values as the table has labels
        if (values[given] != NULL && values[given][0] != '\0')
            label(out, name, length, values[given]);
        given++;
        name += length + (name[length] == ' ');
    }
    CHECK_INT(given, ==, count);
}
