// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log_burst.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 4096 // a whole configuration fits
#define FIELD_MAX   256

static struct {
    // fixed after log_init, any thread reads
    const char *service;
    bool json, colour;
    // shared; relaxed: nothing else hangs on them
    _Atomic int level;
    _Atomic int64_t lines[LOG_ERROR + 1], suppressed;
    pthread_mutex_t mu;
    struct log_burst burst; // under mu
} sink = {.service = "abacus", .level = LOG_INFO, .mu = PTHREAD_MUTEX_INITIALIZER};

static const struct {
    const char *name, *colour;
} levels[] = {
    [LOG_DEBUG] = {"debug", "\033[2m"},
    [LOG_INFO] = {"info", ""},
    [LOG_WARN] = {"warn", "\033[33m"},
    [LOG_ERROR] = {"error", "\033[31m"},
};

void log_init(const char *service, enum log_level level, enum log_format format)
{
    const bool terminal = isatty(STDERR_FILENO);
    sink.service = service;
    sink.json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !terminal);
    sink.colour = terminal && !sink.json;
    log_level_set(level);
}

// --- levels ---
void log_level_set(enum log_level level)
{
    CHECK(level >= LOG_DEBUG && level <= LOG_ERROR);
    atomic_store_explicit(&sink.level, (int)level, memory_order_relaxed);
}

enum log_level log_level_get(void)
{
    return (enum log_level)atomic_load_explicit(&sink.level, memory_order_relaxed);
}

bool log_level_parse(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        if (strcmp(levels[i].name, word) != 0)
            continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

// --- one line ---
struct entry {
    enum log_level level;
    const char *module, *message;
    const struct log_field *fields;
    size_t count;
};

static void append_value(struct bytes *line, const struct log_field *field)
{
    if (field->text != NULL)
        bytes_append_json_string(line, field->text, bytes_utf8_cut(field->text, FIELD_MAX));
    else
        bytes_printf(line, "%" PRId64, field->number);
}

static void append_member(struct bytes *line, const struct log_field *field)
{
    bytes_printf(line, ",\"%s\":", field->name);
    append_value(line, field);
}

static bool is_trace(const struct log_field *field)
{
    return strcmp(field->name, "trace_id") == 0 || strcmp(field->name, "span_id") == 0;
}

static bool is_empty(const struct log_field *field)
{
    return field->text != NULL && field->text[0] == '\0';
}

static void append_members(struct bytes *line, const struct entry *entry, bool trace)
{
    for (size_t i = 0; i < entry->count; i++) {
        const struct log_field *field = &entry->fields[i];
        if (!is_empty(field) && is_trace(field) == trace)
            append_member(line, field);
    }
}

// What every line has comes first, and the ids of the trace before what may be long.
static void line_json(struct bytes *line, const struct entry *entry, const char *time)
{
    bytes_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":\"%s\",\"module\":\"%s\"",
                 time, levels[entry->level].name, sink.service, entry->module);
    append_members(line, entry, true);
    bytes_append_text(line, ",\"message\":");
    bytes_append_json_string(line, entry->message, strlen(entry->message));
    append_members(line, entry, false);
    bytes_append_text(line, "}\n");
}

static bool is_word(const char *text)
{
    while (*text > ' ' && *text < 0x7f && strchr("\"=", *text) == NULL)
        text++;
    return *text == '\0';
}

static void append_pair(struct bytes *line, const struct log_field *field)
{
    bytes_printf(line, " %s=", field->name);
    if (field->text != NULL && is_word(field->text))
        bytes_append(line, field->text, bytes_utf8_cut(field->text, FIELD_MAX));
    else
        append_value(line, field);
}

static void line_text(struct bytes *line, const struct entry *entry, const char *time)
{
    const char *begin = sink.colour ? levels[entry->level].colour : "";
    bytes_printf(line, "%s%s %-5s %s %s: ", begin, time, levels[entry->level].name, sink.service,
                 entry->module);
    bytes_append_printable(line, entry->message, strlen(entry->message));
    for (size_t i = 0; i < entry->count; i++) {
        if (!is_empty(&entry->fields[i]))
            append_pair(line, &entry->fields[i]);
    }
    bytes_printf(line, "%s\n", begin[0] != '\0' ? "\033[0m" : "");
}

static void emit(const struct entry *entry)
{
    char time[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(time, clock_unix_us());
    struct bytes line = {0};
    (sink.json ? line_json : line_text)(&line, entry, time);
    // One write, so that lines of several threads and processes do not mix.
    if (write(STDERR_FILENO, line.data, line.length) < 0) {
        // Nowhere is left to say so.
    }
    bytes_clear(&line);
    atomic_fetch_add_explicit(&sink.lines[entry->level], 1, memory_order_relaxed);
}

// --- bursts ---

// What places left out whose time is over; each takes the lock for itself, none while it writes.
static bool take_silenced(struct log_place *out)
{
    const int64_t now_mono_ns = clock_mono_ns();
    pthread_mutex_lock(&sink.mu);
    const bool found = log_burst_take(&sink.burst, now_mono_ns, out);
    pthread_mutex_unlock(&sink.mu);
    return found;
}

static void emit_silenced(void)
{
    struct log_place place;
    while (take_silenced(&place)) {
        char message[FIELD_MAX];
        snprintf(message, sizeof(message), "%.200s: said %" PRId64 " times more in %d s", place.fmt,
                 place.left_out, LOG_BURST_S);
        const struct log_field field = {"suppressed", .number = place.left_out};
        emit(&(struct entry){place.level, place.module, message, &field, 1});
    }
}

static bool keep(enum log_level level, const char *module, const char *fmt)
{
    if (level == LOG_DEBUG)
        return true;
    const struct log_place speaker = {.fmt = fmt, .module = module, .level = level};
    const int64_t now_mono_ns = clock_mono_ns();
    pthread_mutex_lock(&sink.mu);
    const bool kept = log_burst_keep(&sink.burst, &speaker, now_mono_ns);
    pthread_mutex_unlock(&sink.mu);
    if (!kept)
        atomic_fetch_add_explicit(&sink.suppressed, 1, memory_order_relaxed);
    return kept;
}

// --- what others call ---
static const char ellipsis[] = "\xe2\x80\xa6";

static void say(struct entry *entry, const char *fmt, va_list args)
{
    emit_silenced();
    if (!keep(entry->level, entry->module, fmt))
        return;
    char message[MESSAGE_MAX];
    if (vsnprintf(message, sizeof(message), fmt, args) >= MESSAGE_MAX)
        memcpy(message + bytes_utf8_cut(message, MESSAGE_MAX - sizeof(ellipsis)), ellipsis,
               sizeof(ellipsis));
    entry->message = message;
    emit(entry);
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    if (level < log_level_get())
        return;
    va_list args;
    va_start(args, fmt);
    say(&(struct entry){.level = level, .module = module}, fmt, args);
    va_end(args);
}

void log_fields(enum log_level level, const char *module, const struct log_field *fields,
                size_t count, const char *fmt, ...)
{
    if (level < log_level_get())
        return;
    va_list args;
    va_start(args, fmt);
    say(&(struct entry){.level = level, .module = module, .fields = fields, .count = count}, fmt,
        args);
    va_end(args);
}

struct log_stats log_stats(void)
{
    struct log_stats stats = {.suppressed =
                                  atomic_load_explicit(&sink.suppressed, memory_order_relaxed)};
    for (size_t i = 0; i < COUNT_OF(stats.lines); i++)
        stats.lines[i] = atomic_load_explicit(&sink.lines[i], memory_order_relaxed);
    return stats;
}
