/* status: what every fallible function returns, and the text that goes with a failure.
 *
 * Callers branch on mr_status_t; people read mr_error_t. A failure is described once, where it is
 * found, with what, where and what to do; callers pass the text on and may add context in front.
 * Thread safety: no shared state. */
#ifndef MR_COMMON_BASE_STATUS_H
#define MR_COMMON_BASE_STATUS_H

#define MR_CHECK __attribute__ ((warn_unused_result))
#define MR_PRINTF(text, first) __attribute__ ((format (printf, text, first)))

typedef enum mr_status {
    MR_OK = 0,
    MR_AGAIN,   /* not now: no data, no room; nothing was done, try again */
    MR_CLOSED,  /* the other side, or the end of what there is */
    MR_INVALID, /* bytes from outside break their format; the error names the field */
    MR_CONFIG,  /* the user must change something (configuration, permissions); exit code 78 */
    MR_SYSTEM,  /* a system call failed; the error holds strerror and the path */
} mr_status_t;

enum { MR_ERROR_TEXT_BYTES = 1024 };

/* One line of text, always terminated; cut with "..." when too long. */
typedef struct {
    char text[MR_ERROR_TEXT_BYTES];
    int number; /* errno, when mr_error_errno made the text; else 0 */
} mr_error_t;

/* Set the text. err may be NULL (the caller does not want it). Newlines in the result become
 * spaces, so that one error is one line wherever it is shown. */
void mr_error_set (mr_error_t *err, const char *format, ...) MR_PRINTF (2, 3);

/* Set the text to "<formatted>: <strerror (errno)>" and return MR_SYSTEM. */
mr_status_t mr_error_errno (mr_error_t *err, const char *format, ...) MR_PRINTF (2, 3);
#ifdef __clang_analyzer__
/* clang-tidy does not look into another file, and would try MR_OK as well. */
#define mr_error_errno(...) ((void)mr_error_errno (__VA_ARGS__), MR_SYSTEM)
#endif

/* Put "<formatted>: " in front of the present text. The number stays. */
void mr_error_prefix (mr_error_t *err, const char *format, ...) MR_PRINTF (2, 3);

/* "ok", "again", ...: for logs and tests. */
const char *mr_status_name (mr_status_t status);

/* Exit codes of every program (README lists them). */
enum {
    MR_EXIT_OK = 0,
    MR_EXIT_FAILED = 1,
    MR_EXIT_USAGE = 64,
    MR_EXIT_BUG = 70,
    MR_EXIT_TEMPORARY = 75,
    MR_EXIT_CONFIG = 78,
    MR_EXIT_TIMEOUT = 99,
};

/* Our own bugs only, never peers, files or configuration; always on; exits with 70. */
#define MR_ASSERT(condition) \
    ((condition) ? (void)0 : mr_assert_failed (#condition, __FILE__, __LINE__))
void mr_assert_failed (const char *condition, const char *file, int line)
    __attribute__ ((noreturn));

#endif
