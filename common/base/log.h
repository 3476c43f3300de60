/* log: one line an event, to stderr and, when opened, to a file.
 *
 *   2026-11-23T08:41:37.123456Z info processor.1: text
 *
 * One write(2) a line in append mode, so that several processes may share a file and lines never
 * mix. A failing log never disturbs its caller. Thread safe. */
#ifndef MR_COMMON_BASE_LOG_H
#define MR_COMMON_BASE_LOG_H

#include "common/base/status.h"

typedef enum {
    MR_LOG_DEBUG,
    MR_LOG_INFO,
    MR_LOG_WARN,
    MR_LOG_ERROR,
} mr_log_level_t;

/* Who speaks, e.g. "processor.1" (copied, cut at 63 characters), and the lowest level shown. */
void mr_log_init (const char *who, mr_log_level_t level);

/* Also append to this file (0640, created). MR_SYSTEM: cannot be opened; logging goes on as before.
 * Call it again after the file was moved away. */
MR_CHECK mr_status_t mr_log_open (const char *path, mr_error_t *err);

/* Open the same path again (logrotate); no-op when no file is open. */
void mr_log_reopen (void);

/* Whether lines also go to stderr (default yes). */
void mr_log_stderr (int enabled);

/* "debug", "info", "warn", "error" -> level. MR_INVALID: another word. */
MR_CHECK mr_status_t mr_log_level_parse (const char *text, mr_log_level_t *ret_level);

void mr_log (mr_log_level_t level, const char *format, ...) MR_PRINTF (2, 3);

#define mr_log_debug(...) mr_log (MR_LOG_DEBUG, __VA_ARGS__)
#define mr_log_info(...) mr_log (MR_LOG_INFO, __VA_ARGS__)
#define mr_log_warn(...) mr_log (MR_LOG_WARN, __VA_ARGS__)
#define mr_log_error(...) mr_log (MR_LOG_ERROR, __VA_ARGS__)

#endif
