/* What the segment log says when a call of the file system fails: which log, what it could not do,
 * and why. Every call of a log's life fails once, alone and together with all that follow. */
#include "common/base/seglog.h"
#include "common/base/seglog_private.h"
#include "common/base/seglog_walk.h"
#include "tests/support/seglog_kit.h"
#include "tests/support/simfs.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 2000, FRAMES = 30, FRAME_BYTES = 900 };

#define COUNT(array) (sizeof (array) / sizeof (array)[0])

static const char *const sayings[] = {
    "sim: Input/output error",
    "sim: cannot open the directory: Input/output error",
    "sim: cannot list the directory: Input/output error",
    "sim: cannot open head: Input/output error",
    "sim: cannot write head: Input/output error",
    "sim: cannot map head: Input/output error",
    "sim: cannot open the last segment: Input/output error",
    "sim: cannot cut the torn tail: Input/output error",
    "sim: cannot sync the cut tail: Input/output error",
    "sim: cannot remove a segment that holds nothing: Input/output error",
    "sim: cannot remove a .free file: Input/output error",
    "sim: cannot make a segment: Input/output error",
    "sim: cannot write a segment header: Input/output error",
    "sim: cannot name a segment: Input/output error",
    "sim: cannot append: Input/output error",
    "sim: the log is in doubt: cannot cut a failed append: Input/output error",
    "sim: cannot sync: Input/output error",
    "sim: cannot sync the directory: Input/output error",
    "sim: cannot remove a segment: Input/output error",
    "sim: cannot open a segment: Input/output error",
    "sim: cannot keep what is to be cut: Input/output error",
    "sim: cannot cut a segment: Input/output error",
    "sim: cannot remove head: Input/output error",
    "sim: cannot set a segment aside: Input/output error",
};

static bool heard[COUNT (sayings)];
static mr_simfs_t *fs;
static mr_seglog_options_t options;

static void
hear (mr_status_t status, const mr_error_t *err)
{
    if (status == MR_OK) {
        return;
    }
    ck_assert_msg (strncmp (err->text, "sim: ", 5) == 0, "\"%s\"", err->text);
    for (size_t i = 0; i < COUNT (sayings); i++) {
        heard[i] = heard[i] || strcmp (sayings[i], err->text) == 0;
    }
}

static void
append (mr_seglog_t *log, uint64_t number)
{
    char data[FRAME_BYTES];
    mr_kit_payload (number, data, sizeof data);
    struct iovec iov = {data, sizeof data};
    mr_seglog_entry_t entry = {.type = MR_SEGLOG_DATA,
                               .words = {number, sizeof data, number * 3},
                               .iov = &iov,
                               .iov_count = 1};
    uint64_t position;
    mr_error_t err;
    hear (mr_seglog_append (log, &entry, &position, &err), &err);
}

/* One life of a log that is there already: it has segments, a torn tail and files to use again. */
static void
live (void)
{
    mr_error_t err;
    mr_seglog_t *log = NULL;
    mr_status_t status = mr_seglog_open (&options, &log, &err);
    hear (status, &err);
    if (status != MR_OK) {
        return;
    }
    for (uint64_t i = 1; i <= FRAMES; i++) {
        append (log, FRAMES + i);
        if (i % 10 == 0) {
            hear (mr_seglog_reserve (log, FRAME_BYTES, &err), &err);
            hear (mr_seglog_sync (log, &err), &err);
            hear (mr_seglog_trim (log, mr_seglog_end (log), 0, NULL, &err), &err);
            hear (mr_seglog_roll (log, &err), &err);
        }
    }
    mr_seglog_close (&log);
}

static uint64_t cut_at;

static void
cut (void)
{
    mr_error_t err;
    hear (mr_seglog_cut ("sim", options.ops, cut_at, &err), &err);
}

/* What stands behind the last frame is none. */
static void
tear (void)
{
    size_t bytes;
    char *data = mr_simfs_file (fs, mr_simfs_last (fs, ".seg"), &bytes);
    ck_assert_ptr_nonnull (data);
    memset (data + bytes - FRAME_BYTES / 2, 0x55, FRAME_BYTES / 2);
}

/* Under the name of a place before it: a recycled file whose old name a power loss brought back. */
static void
bring_back (void)
{
    char name[MR_SEGLOG_NAME_BYTES];
    size_t bytes;
    const char *data = mr_simfs_file (fs, mr_simfs_last (fs, ".seg"), &bytes);
    char *copy = malloc (bytes);
    memcpy (copy, data, bytes);
    mr_seglog_name (name, 1, ".seg");
    mr_simfs_put (fs, name, copy, bytes);
    free (copy);
}

static void
prepare (void)
{
    fs = mr_simfs_new (1);
    options = mr_kit_options ("sim", mr_simfs_ops (fs));
    mr_seglog_t *log = mr_kit_open (&options);
    uint64_t number = 1;
    while (number <= FRAMES / 2) {
        mr_kit_append (log, number++, FRAME_BYTES);
    }
    ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), 0, NULL, NULL), MR_OK);
    while (number <= FRAMES) {
        uint64_t position = mr_kit_append (log, number, FRAME_BYTES);
        cut_at = number++ == FRAMES * 2 / 3 ? position : cut_at;
    }
    ck_assert_int_eq (mr_seglog_trim (log, cut_at, 0, NULL, NULL), MR_OK);
    ck_assert_int_eq (mr_seglog_sync (log, NULL), MR_OK);
    mr_seglog_close (&log);
    mr_simfs_power_loss (fs);
}

static uint64_t
calls_of (void (*life) (void))
{
    prepare ();
    bring_back ();
    tear ();
    uint64_t before = mr_simfs_calls (fs);
    life ();
    uint64_t calls = mr_simfs_calls (fs) - before;
    mr_simfs_destroy (&fs);
    return calls;
}

/* Let each call of `life` fail in turn, and so many more behind it. */
static void
fail_each (void (*life) (void), uint64_t times)
{
    uint64_t calls = calls_of (life);
    ck_assert_uint_lt (calls, CALLS_MAX);
    for (uint64_t nth = 1; nth <= calls; nth++) {
        prepare ();
        bring_back ();
        tear ();
        mr_simfs_fail_at (fs, nth, EIO, times);
        life ();
        mr_simfs_fail_at (fs, 0, 0, 0);
        mr_simfs_destroy (&fs);
    }
}

START_TEST (test_every_failure_names_the_log_what_it_could_not_do_and_why)
{
    fail_each (live, 1);
    fail_each (live, CALLS_MAX);
    fail_each (cut, 1);
    for (size_t i = 0; i < COUNT (sayings); i++) {
        ck_assert_msg (heard[i], "never said: %s", sayings[i]);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_every_failure_names_the_log_what_it_could_not_do_and_why,
        NULL,
    };
    return mr_suite_run ("seglog_words", tests);
}
