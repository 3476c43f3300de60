#include "common/base/log.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 };

static struct {
    pthread_mutex_t lock; /* guards fd and path against a reopen by another thread */
    char who[64];
    char path[PATH_MAX];
    mr_log_level_t level;
    int fd;
    int to_stderr;
} logger = {PTHREAD_MUTEX_INITIALIZER, "millrace", "", MR_LOG_INFO, -1, 1};

static const char *const level_names[] = {
    [MR_LOG_DEBUG] = "debug",
    [MR_LOG_INFO] = "info",
    [MR_LOG_WARN] = "warn",
    [MR_LOG_ERROR] = "error",
};

void
mr_log_init (const char *who, mr_log_level_t level)
{
    snprintf (logger.who, sizeof logger.who, "%s", who);
    logger.level = level;
}

static int
open_log (const char *path)
{
    return open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

mr_status_t
mr_log_open (const char *path, mr_error_t *err)
{
    int fd = open_log (path);
    if (fd < 0) {
        return mr_error_errno (err, "cannot open the log file %s", path);
    }
    pthread_mutex_lock (&logger.lock);
    if (logger.fd >= 0) {
        close (logger.fd);
    }
    logger.fd = fd;
    snprintf (logger.path, sizeof logger.path, "%s", path);
    pthread_mutex_unlock (&logger.lock);
    return MR_OK;
}

void
mr_log_reopen (void)
{
    pthread_mutex_lock (&logger.lock);
    if (logger.fd >= 0) {
        int fd = open_log (logger.path);
        if (fd >= 0) {
            close (logger.fd);
            logger.fd = fd;
        }
    }
    pthread_mutex_unlock (&logger.lock);
}

void
mr_log_stderr (int enabled)
{
    logger.to_stderr = enabled;
}

mr_status_t
mr_log_level_parse (const char *text, mr_log_level_t *ret_level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp (text, level_names[i]) == 0) {
            *ret_level = (mr_log_level_t)i;
            return MR_OK;
        }
    }
    return MR_INVALID;
}

/* A log that cannot be written must not stop the flow: failures are dropped here on purpose. */
static void
write_line (int fd, const char *line, size_t bytes)
{
    ssize_t written;
    do {
        written = write (fd, line, bytes);
    } while (written < 0 && errno == EINTR);
}

void
mr_log (mr_log_level_t level, const char *format, ...)
{
    if (level < logger.level) {
        return;
    }
    int saved = errno;
    char line[LINE_BYTES];
    char when[MR_RFC3339_BYTES];
    mr_clock_format (mr_clock_wall_ns (), when);
    int head = snprintf (line, sizeof line, "%s %s %s: ", when, level_names[level], logger.who);
    va_list args;
    va_start (args, format);
    int body = vsnprintf (line + head, sizeof line - (size_t)head - 1, format, args);
    va_end (args);
    size_t bytes = (size_t)head + (size_t)(body < 0 ? 0 : body);
    if (bytes > sizeof line - 2) {
        bytes = sizeof line - 2;
    }
    for (size_t i = (size_t)head; i < bytes; i++) {
        if (line[i] == '\n') {
            line[i] = ' ';
        }
    }
    line[bytes++] = '\n';
    pthread_mutex_lock (&logger.lock);
    if (logger.to_stderr) {
        write_line (STDERR_FILENO, line, bytes);
    }
    if (logger.fd >= 0) {
        write_line (logger.fd, line, bytes);
    }
    pthread_mutex_unlock (&logger.lock);
    errno = saved;
}
