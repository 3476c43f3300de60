/* A file sink whose syncs fail: what it wrote since the last good one has to be written again. */
#include "stages/exporter/sink.h"
#include "tests/support/exporter/sink_kit.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
sync_sink (mr_held_t *held, mr_error_t *err)
{
    mr_status_t status = held->sink.sync (held->sink.self, err);
    if (status == MR_OK) {
        held->sink.place (held->sink.self, &held->committed);
    }
    return status;
}

static void
assert_durable (const mr_held_t *held)
{
    for (uint64_t i = 0; i < held->committed.length; i++) {
        ck_assert_msg (durable[i], "byte %u is committed and not on the disk", (unsigned)i);
    }
}

START_TEST (test_after_a_failed_sync_everything_since_the_last_good_one_is_written_again)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_error_t err = {.text = ""};
    mr_held_write_only (&held, "one\n");
    ck_assert_int_eq (sync_sink (&held, &err), MR_OK);
    for (int tries = 0; tries < 3;
         tries++) { /* as the pump does: it starts over, and tries again */
        mr_held_write_only (&held, "two\nthree\n");
        sync_error = EIO;
        ck_assert_int_eq (sync_sink (&held, &err), MR_AGAIN);
        ck_assert_ptr_nonnull (strstr (err.text, "cannot sync"));
        ck_assert_ptr_nonnull (strstr (err.text, "out.jsonl: Input/output error"));
        mr_held_start_over (&held);
    }
    sync_error = 0;
    mr_held_write_only (&held, "two\nthree\n");
    ck_assert_int_eq (sync_sink (&held, &err), MR_OK);
    mr_held_assert ("out.jsonl", "one\ntwo\nthree\n");
    ck_assert_uint_eq (held.committed.length, strlen ("one\ntwo\nthree\n"));
    assert_durable (&held);
    ck_assert_int_ne (access (mr_held_path ("out.jsonl.torn"), F_OK), 0);
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_what_was_written_again_is_no_appending)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_write_only (&held, "two\n");
    mr_held_put ("out.jsonl", "mine\n"); /* behind what is compared */
    mr_held_start_over (&held);
    mr_error_t err = {.text = ""};
    mr_held_write_only (&held, "two\n");
    ck_assert_int_eq (sync_sink (&held, &err), MR_OK);
    mr_held_assert ("out.jsonl", "one\ntwo\nmine\n");
    mr_held_write_only (&held, "three\n"); /* what stands there is not due, and goes */
    mr_held_assert ("out.jsonl", "one\ntwo\nthree\n");
    mr_held_assert ("out.jsonl.torn", "mine\n");
    mr_held_put ("out.jsonl", "later\n");
    mr_held_write_only (&held, "four\n"); /* it appends, as ever */
    mr_held_assert ("out.jsonl", "one\ntwo\nthree\nlater\nfour\n");
    mr_held_destroy (&held);
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
