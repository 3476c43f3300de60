/* `millrace log check` and `log show` on crafted logs: whatever does not agree is named in words,
 * with its place, though no checksum tells. */
#include "launcher/logcheck.h"

#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "launcher/logview.h"
#include "tests/support/chain_kit.h"
#include "tests/support/doctor.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCHES = 40, RECORDS = 3, SEGMENT = 8192, BATCH = 10 };

#define IN_JOURNAL "ingest.0.journal", MR_JOURNAL_WORD_SEQ
#define IN_SPOOL "exporter.0.spool", MR_SPOOL_WORD_SEQ

static mr_error_t err;
static mr_chain_t chain = {
    .journal_segment = SEGMENT,
    .spool_segment = SEGMENT,
    .records = RECORDS,
    .filtered = 1,
};

static void
make_logs (void)
{
    mr_chain_open (&chain);
    mr_doctor_data (chain.data_dir);
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_chain_take_in (&chain, seq);
        mr_chain_finish (&chain, seq, 0);
    }
    mr_chain_close (&chain);
}

/* ---- what is printed ---- */

static char said[32768];
static int real_stdout;

static void
begin_to_listen (void)
{
    char path[PATH_MAX + 8];
    snprintf (path, sizeof path, "%s/said", chain.data_dir);
    fflush (stdout);
    real_stdout = dup (STDOUT_FILENO);
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge (dup2 (fd, STDOUT_FILENO), 0);
    close (fd);
}

static void
end_to_listen (void)
{
    fflush (stdout);
    ssize_t got = pread (STDOUT_FILENO, said, sizeof said - 1, 0);
    dup2 (real_stdout, STDOUT_FILENO);
    close (real_stdout);
    ck_assert_int_ge (got, 0);
    said[got] = '\0';
}

/* The faults that `log check` counts in this log; its lines are in `said`. */
static uint64_t
check_log (const char *log)
{
    char dir[PATH_MAX + 32];
    uint64_t faults = 0;
    snprintf (dir, sizeof dir, "%s/%s", chain.data_dir, log);
    begin_to_listen ();
    mr_status_t status = mr_logcheck (dir, false, &faults, &err);
    end_to_listen ();
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return faults;
}

/* `log check` says these words of this log, on a line that names file and offset, and that it is
 * damaged. */
static void
assert_fault (const char *log, const char *words)
{
    ck_assert_uint_gt (check_log (log), 0);
    const char *found = strstr (said, words);
    ck_assert_msg (found != NULL, "no \"%s\" in:\n%s", words, said);
    while (found > said && found[-1] != '\n') {
        found--;
    }
    ck_assert_msg (strncmp (found, "damaged ", 8) == 0, "%s", found);
    ck_assert_ptr_nonnull (strstr (found, ".seg  offset "));
    ck_assert_ptr_nonnull (strstr (said, "state damaged"));
}

/* ---- tests ---- */

START_TEST (test_whole_logs_have_no_faults)
{
    make_logs ();
    ck_assert_uint_eq (check_log ("ingest.0.journal"), 0);
    ck_assert_ptr_nonnull (strstr (said, "state whole"));
    ck_assert_uint_eq (check_log ("exporter.0.spool"), 0);
    ck_assert_ptr_nonnull (strstr (said, "state whole"));
}
END_TEST

START_TEST (test_a_frame_that_says_another_number_than_its_batch_is_named)
{
    make_logs ();
    mr_doctor_word (IN_JOURNAL, BATCH, MR_JOURNAL_WORD_SEQ, 1);
    assert_fault ("ingest.0.journal", "what the batch in it has another identity");
    assert_fault ("ingest.0.journal", "what its number is not above that of the frame before");
    mr_doctor_word (IN_SPOOL, BATCH, MR_SPOOL_WORD_JOURNAL, 1);
    assert_fault ("exporter.0.spool", "what the batch in it has another identity");
}
END_TEST

START_TEST (test_a_frame_that_counts_other_records_than_its_batch_is_named)
{
    make_logs ();
    mr_doctor_word (IN_JOURNAL, BATCH, MR_JOURNAL_WORD_RECEIVED, 1);
    assert_fault ("ingest.0.journal", "what it counts other records than its batch has");
    assert_fault ("ingest.0.journal",
                  "what the records received so far do not follow from the frame before");
    mr_doctor_word (IN_SPOOL, BATCH, MR_SPOOL_WORD_FILTERED, 1);
    assert_fault ("exporter.0.spool",
                  "what exported, filtered and dead are not those of its batch");
}
END_TEST

START_TEST (test_a_frame_without_a_batch_is_named_and_its_neighbours_are_not)
{
    make_logs ();
    mr_doctor_payload (IN_JOURNAL, BATCH, 0);
    assert_fault ("ingest.0.journal", "what what it holds is not a batch");
    ck_assert_uint_eq (check_log ("ingest.0.journal"), 1);
    mr_doctor_payload (IN_SPOOL, BATCH, 0);
    assert_fault ("exporter.0.spool", "what what it holds is not a batch");
    ck_assert_uint_eq (check_log ("exporter.0.spool"), 1);
}
END_TEST

START_TEST (test_what_no_checksum_vouches_for_is_named_by_what_is_wrong)
{
    make_logs ();
    size_t at = mr_doctor_flip (IN_SPOOL, BATCH, 0);
    assert_fault ("exporter.0.spool", "what no frame");
    make_logs ();
    mr_doctor_flip (IN_SPOOL, BATCH, 16); /* a word of its header */
    assert_fault ("exporter.0.spool", "what frame");
    make_logs ();
    mr_doctor_flip (IN_SPOOL, BATCH, MR_SEGLOG_FRAME_BYTES + 8);
    assert_fault ("exporter.0.spool", "what payload checksum");
    make_logs ();
    mr_doctor_flip (IN_SPOOL, BATCH, (size_t)0 - at + 40); /* of the segment that it is in */
    assert_fault ("exporter.0.spool", "what segment header");
}
END_TEST

static void
show (const char *log, uint64_t seq, unsigned expected)
{
    char dir[PATH_MAX + 32];
    unsigned found = 0;
    const mr_logview_batch_t batch = {.seq = seq};
    snprintf (dir, sizeof dir, "%s/%s", chain.data_dir, log);
    begin_to_listen ();
    mr_status_t status = mr_logview_show (dir, &batch, false, &found, &err);
    end_to_listen ();
    ck_assert_msg (status == MR_OK, "%s", err.text);
    ck_assert_uint_eq (found, expected);
}

START_TEST (test_show_says_why_there_are_no_records_to_print)
{
    make_logs ();
    show ("ingest.0.journal", BATCHES + 1, 0);
    ck_assert_str_eq (said, "");
    mr_doctor_payload (IN_JOURNAL, BATCH, 0);
    show ("ingest.0.journal", BATCH, 1);
    ck_assert_ptr_nonnull (strstr (said, "\nbroken it is not a batch\n"));
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, IN_JOURNAL, BATCH + 1);
    mr_seglog_frame_head_t frame;
    memcpy (&frame, file.bytes + at, sizeof frame);
    free (file.bytes);
    mr_doctor_word (IN_JOURNAL, BATCH + 1, MR_JOURNAL_WORD_FRAME_BYTES,
                    -(int)frame.words[MR_JOURNAL_WORD_FRAME_BYTES]);
    show ("ingest.0.journal", BATCH + 1, 1);
    ck_assert_ptr_nonnull (strstr (said, "\nrecords not in the journal (durability = memory)\n"));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_whole_logs_have_no_faults,
        test_a_frame_that_says_another_number_than_its_batch_is_named,
        test_a_frame_that_counts_other_records_than_its_batch_is_named,
        test_a_frame_without_a_batch_is_named_and_its_neighbours_are_not,
        test_what_no_checksum_vouches_for_is_named_by_what_is_wrong,
        test_show_says_why_there_are_no_records_to_print,
        NULL,
    };
    return mr_suite_run ("logcheck", tests);
}
