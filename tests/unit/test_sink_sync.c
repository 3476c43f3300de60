/* A file sink whose syncs fail: what it wrote since the last good one has to be written again. */
#include "stages/exporter/sink.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char folder[PATH_MAX - 64];

static const char *
path_of (const char *file)
{
    static char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", folder, file);
    return path;
}

static void
make_folder (void)
{
    snprintf (folder, sizeof folder, "%.200s", mr_test_dir ());
}

/* A sink and what a cursor would hold of it. */
typedef struct held {
    mr_sink_t sink;
    mr_cursor_state_t committed;
} held_t;

static mr_status_t
open_sink (held_t *held, mr_error_t *err)
{
    mr_status_t status = held->sink.open (held->sink.self, &held->committed, true, err);
    if (status == MR_OK) {
        held->sink.place (held->sink.self, &held->committed);
    }
    return status;
}

static held_t
make_sink (const char *file)
{
    held_t held = {.committed = {.spool = 0}};
    mr_error_t err = {{0}};
    ck_assert_int_eq (mr_sink_file_new (path_of (file), &held.sink, &err), MR_OK);
    return held;
}

static held_t
new_sink (const char *file)
{
    held_t held = make_sink (file);
    mr_error_t err = {{0}};
    ck_assert_msg (open_sink (&held, &err) == MR_OK, "%s", err.text);
    return held;
}

static mr_status_t
try_write (held_t *held, const char *lines, mr_error_t *err)
{
    struct iovec iov = {.iov_base = (char *)(uintptr_t)lines, .iov_len = strlen (lines)};
    return held->sink.write (held->sink.self, &iov, 1, err);
}

/* Written, but not committed. */
static void
write_only (held_t *held, const char *lines)
{
    mr_error_t err = {{0}};
    ck_assert_msg (try_write (held, lines, &err) == MR_OK, "%s", err.text);
}

static void
write_all (held_t *held, const char *lines)
{
    write_only (held, lines);
    held->sink.place (held->sink.self, &held->committed);
}

static void
close_sink (held_t *held)
{
    held->sink.close (held->sink.self);
}

static void
destroy_sink (held_t *held)
{
    close_sink (held);
    held->sink.destroy (held->sink.self);
}

/* As a life after kill -9: what was not committed is only in the file. */
static void
start_over (held_t *held)
{
    mr_error_t err = {{0}};
    close_sink (held);
    ck_assert_msg (open_sink (held, &err) == MR_OK, "%s", err.text);
}

static void
put (const char *file, const char *text)
{
    FILE *out = fopen (path_of (file), "a");
    ck_assert_ptr_nonnull (out);
    ck_assert_int_ge (fputs (text, out), 0);
    ck_assert_int_eq (fclose (out), 0);
}

static void
assert_holds (const char *file, const char *text)
{
    static char got[1 << 16];
    FILE *source = fopen (path_of (file), "r");
    ck_assert_msg (source != NULL, "%s is missing", file);
    size_t bytes = fread (got, 1, sizeof got - 1, source);
    got[bytes] = '\0';
    (void)fclose (source);
    ck_assert_str_eq (got, text);
}

/* What the disk would have after a power loss, by offset: this program's own calls, which the
 * linker prefers to libc's, keep book of it. A sync that fails forgets what was to be written, as
 * Linux may. */
enum { BOOK_BYTES = 4096 };
static bool dirty[BOOK_BYTES];
static bool durable[BOOK_BYTES];
static int sync_error; /* 0: syncs work */

static void
note_dirty (off_t from, long bytes)
{
    for (long i = 0; i < bytes; i++) {
        ck_assert_int_lt (from + i, BOOK_BYTES);
        dirty[from + i] = true;
        durable[from + i] = false;
    }
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's are reserved */
ssize_t
writev (int fd, const struct iovec *iov, int count)
{
    struct stat st;
    bool file = fstat (fd, &st) == 0 && S_ISREG (st.st_mode); /* appended: it goes to the end */
    long wrote = syscall (SYS_writev, fd, iov, count);
    if (file && st.st_size < BOOK_BYTES) {
        note_dirty (st.st_size, wrote);
    }
    return wrote;
}

ssize_t
pwrite (int fd, const void *data, size_t bytes, off_t at)
{
    long wrote = syscall (SYS_pwrite64, fd, data, bytes, at);
    note_dirty (at, wrote);
    return wrote;
}

int
fdatasync (int fd)
{
    (void)fd;
    for (int i = 0; i < BOOK_BYTES; i++) {
        durable[i] = durable[i] || (dirty[i] && sync_error == 0);
        dirty[i] = false;
    }
    errno = sync_error;
    return sync_error == 0 ? 0 : -1;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

static mr_status_t
sync_sink (held_t *held, mr_error_t *err)
{
    mr_status_t status = held->sink.sync (held->sink.self, err);
    if (status == MR_OK) {
        held->sink.place (held->sink.self, &held->committed);
    }
    return status;
}

static void
assert_durable (const held_t *held)
{
    for (uint64_t i = 0; i < held->committed.length; i++) {
        ck_assert_msg (durable[i], "byte %u is committed and not on the disk", (unsigned)i);
    }
}

START_TEST (test_after_a_failed_sync_everything_since_the_last_good_one_is_written_again)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    mr_error_t err = {{0}};
    write_only (&held, "one\n");
    ck_assert_int_eq (sync_sink (&held, &err), MR_OK);
    for (int tries = 0; tries < 3;
         tries++) { /* as the pump does: it starts over, and tries again */
        write_only (&held, "two\nthree\n");
        sync_error = EIO;
        ck_assert_int_eq (sync_sink (&held, &err), MR_AGAIN);
        ck_assert_ptr_nonnull (strstr (err.text, "cannot sync"));
        ck_assert_ptr_nonnull (strstr (err.text, "out.jsonl: Input/output error"));
        start_over (&held);
    }
    sync_error = 0;
    write_only (&held, "two\nthree\n");
    ck_assert_int_eq (sync_sink (&held, &err), MR_OK);
    assert_holds ("out.jsonl", "one\ntwo\nthree\n");
    ck_assert_uint_eq (held.committed.length, strlen ("one\ntwo\nthree\n"));
    assert_durable (&held);
    ck_assert_int_ne (access (path_of ("out.jsonl.torn"), F_OK), 0);
    destroy_sink (&held);
}
END_TEST

START_TEST (test_what_was_written_again_is_no_appending)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    write_only (&held, "two\n");
    put ("out.jsonl", "mine\n"); /* behind what is compared */
    start_over (&held);
    mr_error_t err = {{0}};
    write_only (&held, "two\n");
    ck_assert_int_eq (sync_sink (&held, &err), MR_OK);
    assert_holds ("out.jsonl", "one\ntwo\nmine\n");
    write_only (&held, "three\n"); /* what stands there is not due, and goes */
    assert_holds ("out.jsonl", "one\ntwo\nthree\n");
    assert_holds ("out.jsonl.torn", "mine\n");
    put ("out.jsonl", "later\n");
    write_only (&held, "four\n"); /* it appends, as ever */
    assert_holds ("out.jsonl", "one\ntwo\nthree\nlater\nfour\n");
    destroy_sink (&held);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_after_a_failed_sync_everything_since_the_last_good_one_is_written_again,
        test_what_was_written_again_is_no_appending,
        NULL,
    };
    return mr_suite_run ("sink_sync", tests);
}
