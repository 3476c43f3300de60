#include "common/base/ledger.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[PATH_MAX];

static mr_ledger_t *
open_ledger (void)
{
    mr_ledger_t *ledger = NULL;
    mr_error_t err = {{0}};
    mr_status_t status = mr_ledger_open (path, &ledger, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return ledger;
}

static void
make_path (void)
{
    snprintf (path, sizeof path, "%.*s/ingest.0.ledger", PATH_MAX - 32, mr_test_dir ());
}

START_TEST (test_a_new_ledger_is_zero_and_has_a_journal)
{
    make_path ();
    mr_ledger_counts_t counts;
    mr_error_t err;
    ck_assert_int_eq (mr_ledger_read (path, &counts, &err), MR_CLOSED);
    mr_ledger_t *ledger = open_ledger ();
    counts = mr_ledger_counts (ledger);
    ck_assert_uint_ne (counts.journal, 0);
    ck_assert_uint_eq (counts.received | counts.exported | counts.filtered | counts.dead |
                           counts.dropped | counts.batches | counts.batches_done,
                       0);
    struct stat st;
    ck_assert_int_eq (stat (path, &st), 0);
    ck_assert_uint_eq (st.st_mode & 07777 & ~0640U, 0);
    mr_ledger_close (&ledger);
    ck_assert_ptr_null (ledger);
}
END_TEST

START_TEST (test_counts_outlive_the_process_and_anybody_may_read_them)
{
    make_path ();
    mr_ledger_t *ledger = open_ledger ();
    ck_assert_uint_eq (mr_ledger_made (ledger, 100), 1);
    ck_assert_uint_eq (mr_ledger_made (ledger, 50), 2);
    mr_ledger_settled (ledger, 90, 7, 3);
    uint64_t journal = mr_ledger_counts (ledger).journal;
    pid_t child = fork (); /* killed without closing it */
    if (child == 0) {
        ck_assert_uint_eq (mr_ledger_made (ledger, 1), 3);
        _exit (0);
    }
    int how;
    ck_assert_int_eq (waitpid (child, &how, 0), child);
    mr_ledger_close (&ledger);

    mr_ledger_counts_t counts;
    mr_error_t err;
    ck_assert_int_eq (mr_ledger_read (path, &counts, &err), MR_OK);
    ck_assert_uint_eq (counts.journal, journal);
    ck_assert_uint_eq (counts.received, 151);
    ck_assert_uint_eq (counts.exported, 90);
    ck_assert_uint_eq (counts.filtered, 7);
    ck_assert_uint_eq (counts.dead, 3);
    ck_assert_uint_eq (counts.batches, 3);
    ck_assert_uint_eq (counts.batches_done, 1);
    ledger = open_ledger ();
    ck_assert_uint_eq (mr_ledger_counts (ledger).journal, journal);
    ck_assert_uint_eq (mr_ledger_made (ledger, 1), 4); /* numbers go on */
    mr_ledger_close (&ledger);
}
END_TEST

START_TEST (test_a_reader_never_sees_more_settled_than_received)
{
    make_path ();
    mr_ledger_t *ledger = open_ledger ();
    pid_t writer = fork ();
    if (writer == 0) {
        for (int i = 0; i < 200000; i++) {
            (void)mr_ledger_made (ledger, 3);
            mr_ledger_settled (ledger, 1, 1, 1);
        }
        _exit (0);
    }
    int how = 0;
    while (waitpid (writer, &how, WNOHANG) == 0) {
        mr_ledger_counts_t counts = mr_ledger_counts (ledger);
        ck_assert_uint_le (counts.exported + counts.filtered + counts.dead, counts.received);
        ck_assert_uint_le (counts.batches_done, counts.batches);
    }
    ck_assert_int_eq (how, 0);
    mr_ledger_counts_t counts = mr_ledger_counts (ledger);
    ck_assert_uint_eq (counts.exported + counts.filtered + counts.dead, counts.received);
    mr_ledger_close (&ledger);
}
END_TEST

static void
assert_refused (const void *bytes, size_t count, const char *why)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge (fd, 0);
    ck_assert_int_eq (write (fd, bytes, count), (ssize_t)count);
    close (fd);
    mr_ledger_t *ledger = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_ledger_open (path, &ledger, &err), MR_INVALID);
    ck_assert_ptr_null (ledger);
    ck_assert_msg (strstr (err.text, why) != NULL && strstr (err.text, path) != NULL, "%s",
                   err.text);
}

START_TEST (test_a_file_that_is_not_a_ledger_is_refused_and_left_alone)
{
    make_path ();
    mr_ledger_t *ledger = open_ledger ();
    mr_ledger_close (&ledger);
    uint8_t bytes[4096];
    int fd = open (path, O_RDONLY);
    ck_assert_int_eq (read (fd, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    close (fd);
    bytes[8] = 9;
    assert_refused (bytes, sizeof bytes, "has format 9");
    bytes[0] ^= 1;
    assert_refused (bytes, sizeof bytes, "is not a ledger");
    bytes[0] ^= 1;
    bytes[8] = 1;
    assert_refused (bytes, sizeof bytes - 1, "is not a ledger");
    assert_refused ("", 0, "is not a ledger");
    struct stat st;
    ck_assert_int_eq (stat (path, &st), 0);
    ck_assert_int_eq (st.st_size, 0);
}
END_TEST

START_TEST (test_a_ledger_that_cannot_be_made_is_named)
{
    mr_ledger_t *ledger = NULL;
    mr_error_t err;
    snprintf (path, sizeof path, "/no/such/ingest.0.ledger");
    ck_assert_int_eq (mr_ledger_open (path, &ledger, &err), MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, path));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_new_ledger_is_zero_and_has_a_journal,
        test_counts_outlive_the_process_and_anybody_may_read_them,
        test_a_reader_never_sees_more_settled_than_received,
        test_a_file_that_is_not_a_ledger_is_refused_and_left_alone,
        test_a_ledger_that_cannot_be_made_is_named,
        NULL,
    };
    return mr_suite_run ("ledger", tests);
}
