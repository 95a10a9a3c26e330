// SPDX-License-Identifier: Apache-2.0
#include "cli/services.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/int128.h"
#include "cli/http_get.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS_MAX   100000
#define MISSING_TEXT_MAX 200 // so much of the missing ranges is shown to people

// --- fields ---
static bool field_int128(const json_t *object, const char *name, __int128 *out, struct err *err)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text != NULL && int128_parse(text, strlen(text), out))
        return true;
    return err_set(err, ERR_INVALID, "\"%s\" is not there, or no decimal number in a string", name);
}

static bool field_int64(const json_t *object, const char *name, int64_t *out, struct err *err)
{
    __int128 wide;
    if (!field_int128(object, name, &wide, err))
        return false;
    if (wide < INT64_MIN || wide > INT64_MAX)
        return err_set(err, ERR_INVALID, "\"%s\" is out of range", name);
    *out = (int64_t)wide;
    return true;
}

static bool field_uuid(const json_t *object, const char *name, struct uuid *out, struct err *err)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text != NULL && uuid_parse(text, strlen(text), out))
        return true;
    return err_set(err, ERR_INVALID, "\"%s\" is not there, or no UUID", name);
}

// GETs base + path. *out: owned.
static bool document_read(json_t **out, const char *base, const char *path, int64_t timeout_ms,
                          struct err *err)
{
    char *url = url_join(base, path);
    const bool ok = http_get_json(out, url, timeout_ms, err);
    free(url);
    return ok;
}

// --- adder ---
static bool adder_source_parse(struct adder_source *out, const json_t *document, struct err *err)
{
    const json_t *partition = json_object_get(document, "partition");
    out->partition = json_is_integer(partition) ? (int32_t)json_integer_value(partition) : -1;
    return field_uuid(document, "source", &out->source, err) &&
           field_int64(document, "count", &out->count, err) &&
           field_int128(document, "sum", &out->sum, err) &&
           field_int64(document, "published", &out->published, err);
}

bool adder_source_read(struct adder_source *out, const char *admin, int64_t timeout_ms,
                       struct err *err)
{
    json_t *document;
    if (!document_read(&document, admin, "/source", timeout_ms, err))
        return false;
    const bool ok = adder_source_parse(out, document, err) || err_prefix(err, "%s/source", admin);
    json_decref(document);
    return ok;
}

// --- total ---
bool total_parse(struct total *out, const json_t *document, struct err *err)
{
    return field_int128(document, "total", &out->sum, err) &&
           field_int64(document, "count", &out->count, err);
}

bool total_read(struct total *out, const char *totals, int64_t timeout_ms, struct err *err)
{
    json_t *document;
    if (!document_read(&document, totals, "/v1/total", timeout_ms, err))
        return false;
    const bool ok = total_parse(out, document, err) || err_prefix(err, "%s/v1/total", totals);
    json_decref(document);
    return ok;
}

// --- sources ---
// [{"first":"2","last":"3"},{"first":"7","last":"7"}] → "2-3, 7"
static char *missing_text(const json_t *ranges)
{
    struct bytes text = {0};
    bytes_append_text(&text, "");
    size_t index;
    const json_t *range;
    json_array_foreach(ranges, index, range) {
        int64_t first = 0, last = 0;
        struct err ignored;
        if (text.length > MISSING_TEXT_MAX) {
            bytes_printf(&text, ", and %zu more ranges", json_array_size(ranges) - index);
            break;
        }
        if (!field_int64(range, "first", &first, &ignored) ||
            !field_int64(range, "last", &last, &ignored))
            continue; // only for people: the verdict rests on the counts
        bytes_printf(&text, "%s%" PRId64, index > 0 ? ", " : "", first);
        if (last != first)
            bytes_printf(&text, "-%" PRId64, last);
    }
    return (char *)text.data;
}

static bool ledger_view_parse(struct ledger_view *out, const json_t *item, struct err *err)
{
    if (!field_uuid(item, "source", &out->source, err) ||
        !field_int64(item, "count", &out->count, err) ||
        !field_int64(item, "highest", &out->highest, err) ||
        !field_int64(item, "missing_events", &out->missing_events, err) ||
        !field_int128(item, "sum", &out->sum, err))
        return false;
    out->missing = missing_text(json_object_get(item, "missing"));
    return true;
}

static bool ledger_views_parse(struct ledger_views *out, const json_t *document, struct err *err)
{
    const json_t *list = json_object_get(document, "sources");
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "\"sources\" is no list");
    out->items = xcalloc(json_array_size(list) + 1, sizeof(*out->items));
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item) {
        if (!ledger_view_parse(&out->items[index], item, err))
            return false;
        out->count++;
    }
    return true;
}

bool ledger_views_read(struct ledger_views *out, const char *totals, int64_t timeout_ms,
                       struct err *err)
{
    *out = (struct ledger_views){0};
    json_t *document;
    if (!document_read(&document, totals, "/v1/sources", timeout_ms, err))
        return false;
    const bool ok =
        ledger_views_parse(out, document, err) || err_prefix(err, "%s/v1/sources", totals);
    json_decref(document);
    if (!ok)
        ledger_views_clear(out);
    return ok;
}

void ledger_views_clear(struct ledger_views *views)
{
    for (size_t i = 0; i < views->count; i++)
        free(views->items[i].missing);
    free(views->items);
    *views = (struct ledger_views){0};
}

const struct ledger_view *ledger_views_find(const struct ledger_views *views,
                                            const struct uuid *source)
{
    for (size_t i = 0; i < views->count; i++) {
        if (uuid_equal(&views->items[i].source, source))
            return &views->items[i];
    }
    return NULL;
}

// --- partitions ---
static struct partition_lag lag_parse(const json_t *item, int64_t asked_mono_ns)
{
    int64_t lag = 0, age_ms = 0;
    struct err unknown; // null or absent
    if (!json_is_true(json_object_get(item, "assigned")) ||
        !field_int64(item, "lag", &lag, &unknown) ||
        !field_int64(item, "end_age_ms", &age_ms, &unknown))
        return (struct partition_lag){.lag = LAG_UNKNOWN};
    const int64_t age_ns = age_ms < asked_mono_ns / NS_PER_MS ? age_ms * NS_PER_MS : asked_mono_ns;
    return (struct partition_lag){.lag = lag, .heard_mono_ns = asked_mono_ns - age_ns};
}

static bool partition_lags_parse(struct partition_lags *out, const json_t *document,
                                 int64_t asked_mono_ns, struct err *err)
{
    const json_t *list = json_object_get(document, "partitions");
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "\"partitions\" is no list");
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item) {
        const json_int_t number = json_integer_value(json_object_get(item, "partition"));
        if (number < 0 || number >= PARTITIONS_MAX)
            return err_set(err, ERR_INVALID, "\"partition\" is out of range");
        while (out->count <= (size_t)number) {
            out->items = xrealloc(out->items, (out->count + 1) * sizeof(*out->items));
            out->items[out->count++] = (struct partition_lag){.lag = LAG_UNKNOWN};
        }
        out->items[number] = lag_parse(item, asked_mono_ns);
    }
    return true;
}

bool partition_lags_read(struct partition_lags *out, const char *totals, int64_t timeout_ms,
                         struct err *err)
{
    *out = (struct partition_lags){0};
    json_t *document;
    const int64_t asked_mono_ns = clock_mono_ns();
    if (!document_read(&document, totals, "/v1/partitions", timeout_ms, err))
        return false;
    const bool ok = partition_lags_parse(out, document, asked_mono_ns, err) ||
                    err_prefix(err, "%s/v1/partitions", totals);
    json_decref(document);
    if (!ok)
        partition_lags_clear(out);
    return ok;
}

void partition_lags_clear(struct partition_lags *lags)
{
    free(lags->items);
    *lags = (struct partition_lags){0};
}

static bool is_old(const struct partition_lag *item, int64_t since_mono_ns)
{
    return item->lag == 0 && item->heard_mono_ns < since_mono_ns;
}

int64_t partition_lag(const struct partition_lags *lags, int32_t partition, int64_t since_mono_ns)
{
    if (partition < 0 || (size_t)partition >= lags->count)
        return LAG_UNKNOWN;
    const struct partition_lag *item = &lags->items[partition];
    return is_old(item, since_mono_ns) ? LAG_UNKNOWN : item->lag;
}

int64_t partition_lag_all(const struct partition_lags *lags, int64_t since_mono_ns)
{
    int64_t all = LAG_UNKNOWN;
    for (size_t i = 0; i < lags->count; i++) {
        if (is_old(&lags->items[i], since_mono_ns))
            return LAG_UNKNOWN;
        if (lags->items[i].lag != LAG_UNKNOWN)
            all = (all == LAG_UNKNOWN ? 0 : all) + lags->items[i].lag;
    }
    return all;
}
