// SPDX-License-Identifier: Apache-2.0
#include "totals/json.h"

#include "base/clock.h"
#include "base/int128.h"

#include <inttypes.h>
#include <stdio.h>

#define TAG_ID_DIGITS 8

size_t json_total(char out[JSON_TOTAL_BYTES], const struct ledger_total *total)
{
    char sum[INT128_TEXT_BYTES];
    int128_format(sum, total->sum);
    const int length = snprintf(out, JSON_TOTAL_BYTES,
                                "{\"total\":\"%s\",\"count\":\"%" PRId64 "\",\"version\":\"%" PRId64
                                "\",\"missing\":\"%" PRId64 "\",\"duplicates\":\"%" PRId64
                                "\",\"dead_letters\":\"%" PRId64 "\"}",
                                sum, total->count, total->version, total->missing,
                                total->duplicates, total->dead_letters);
    CHECK_INT(length, <, JSON_TOTAL_BYTES);
    return (size_t)length;
}

void json_tag(char out[JSON_TAG_BYTES], const struct ledger_total *total)
{
    const int length = snprintf(out, JSON_TAG_BYTES, "%.*s-%" PRId64, TAG_ID_DIGITS,
                                total->ledger.text, total->version);
    CHECK_INT(length, <, JSON_TAG_BYTES);
}

// null when there is none: an event need not say when it was accepted.
static void append_time(struct bytes *out, const char *name, int64_t unix_us)
{
    char text[CLOCK_RFC3339_BYTES];
    if (unix_us > 0)
        clock_format_rfc3339(text, unix_us);
    bytes_printf(out, unix_us > 0 ? ",\"%s\":\"%s\"" : ",\"%s\":null", name, text);
}

static void append_missing(struct bytes *out, const struct ledger_source *source)
{
    bytes_append_text(out, ",\"missing\":[");
    for (size_t i = 0; i < source->missing_count; i++)
        bytes_printf(out, "%s{\"first\":\"%" PRId64 "\",\"last\":\"%" PRId64 "\"}",
                     i > 0 ? "," : "", source->missing[i].first, source->missing[i].last);
    bytes_append_text(out, "]");
}

void json_source(struct bytes *out, const struct ledger_source *source)
{
    char sum[INT128_TEXT_BYTES];
    int128_format(sum, source->sum);
    bytes_printf(out,
                 "{\"source\":\"%s\",\"partition\":%" PRId32 ",\"highest\":\"%" PRId64
                 "\",\"count\":\"%" PRId64 "\",\"sum\":\"%s\",\"duplicates\":\"%" PRId64
                 "\",\"missing_events\":\"%" PRId64 "\"",
                 source->source.text, source->partition, source->highest, source->count, sum,
                 source->duplicates, source->missing_events);
    append_missing(out, source);
    append_time(out, "applied_at", source->applied_unix_us);
    append_time(out, "accepted_at", source->accepted_unix_us);
    bytes_append_text(out, "}");
}

// null: unknown.
static void append_offset(struct bytes *out, const char *name, int64_t value)
{
    bytes_printf(out, value >= 0 ? ",\"%s\":\"%" PRId64 "\"" : ",\"%s\":null", name, value);
}

void json_partition(struct bytes *out, const struct json_partition *p)
{
    const int64_t next = p->ledger.next_offset > 0 ? p->ledger.next_offset : 0;
    const bool known = p->end_offset >= 0 && p->settled_offset >= 0;
    const int64_t ahead = p->end_offset > p->settled_offset ? p->end_offset - p->settled_offset : 0;
    bytes_printf(out, "{\"partition\":%" PRId32 ",\"assigned\":%s", p->ledger.partition,
                 p->assigned ? "true" : "false");
    append_offset(out, "next_offset", next);
    append_offset(out, "end_offset", p->end_offset);
    append_offset(out, "lag", known ? ahead : -1);
    append_offset(out, "end_age_ms", p->end_age_ms);
    bytes_printf(out, ",\"dead_letters\":\"%" PRId64 "\"}", p->ledger.dead_letters);
}
