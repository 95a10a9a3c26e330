// SPDX-License-Identifier: Apache-2.0
// One line an event on standard error: text on a terminal, else one JSON object. Any thread.
// The only global of the project beside the stop flag. Log where an error is handled, once.
#ifndef ABACUS_BASE_LOG_H
#define ABACUS_BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

// service: the program's name, borrowed for ever. Call once, before other threads start.
void log_init(const char *service, enum log_level level, enum log_format format);

// While the process runs. Any thread.
void log_level_set(enum log_level level);
enum log_level log_level_get(void);
// False: no such word.
MUST_USE bool log_level_parse(const char *word, enum log_level *level);
const char *log_level_name(enum log_level level);

// module: the folder or part that speaks, e.g. "relay". The message is one sentence without a stop;
// what is longer than 4 KiB is cut. fmt and module are literals: they name the place that speaks.
// What one place says more than LOG_BURST times in LOG_BURST_S is left out, and how often that was
// is said when the time is over and anything is logged. Debug lines are all kept: who asks for
// them wants to see each.
#define LOG_BURST   20
#define LOG_BURST_S 10
void log_write(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);

// The same with facts for machines beside the sentence, as members of the JSON object (on a
// terminal: name=value after the message). Names as elsewhere: trace_id, span_id, source, sequence,
// partition, offset. A text (an empty one is left out, a long one cut), or a number when text is
// NULL.
struct log_field {
    const char *name, *text;
    int64_t number;
};
void log_fields(enum log_level level, const char *module, const struct log_field *fields,
                size_t count, const char *fmt, ...) PRINTF_LIKE(5, 6);

// Lines since the start, for metrics.
struct log_stats {
    int64_t lines[LOG_ERROR + 1]; // by level
    int64_t suppressed;
};
struct log_stats log_stats(void);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
