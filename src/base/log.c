// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/bytes.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 4096 // a whole configuration fits

static struct {
    const char *service;
    enum log_level level;
    bool json, colour;
} sink = {.service = "abacus", .level = LOG_INFO};

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
    sink.level = level;
    sink.json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !terminal);
    sink.colour = terminal && !sink.json;
}

static void line_json(struct bytes *line, enum log_level level, const char *module,
                      const char *time, const char *message)
{
    bytes_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":\"%s\",\"module\":\"%s\",",
                 time, levels[level].name, sink.service, module);
    bytes_append_text(line, "\"message\":");
    bytes_append_json_string(line, message, strlen(message));
    bytes_append_text(line, "}\n");
}

static void line_text(struct bytes *line, enum log_level level, const char *module,
                      const char *time, const char *message)
{
    const bool colour = sink.colour && levels[level].colour[0] != '\0';
    bytes_printf(line, "%s%s %-5s %s %s: %s%s\n", colour ? levels[level].colour : "", time,
                 levels[level].name, sink.service, module, message, colour ? "\033[0m" : "");
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    if (level < sink.level)
        return;
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    char time[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(time, clock_unix_us());
    struct bytes line = {0};
    (sink.json ? line_json : line_text)(&line, level, module, time, message);
    // One write, so that lines of several threads and processes do not mix.
    if (write(STDERR_FILENO, line.data, line.length) < 0) {
        // Nowhere is left to say so.
    }
    bytes_clear(&line);
}
