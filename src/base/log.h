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

// module: the folder or part that speaks, e.g. "relay". The message is one sentence without a stop.
void log_write(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
