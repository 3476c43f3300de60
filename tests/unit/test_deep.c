/* The deep audit: a whole data directory balances, and each way of doctoring one is found, and
 * named by journal, batch and file. */
#include "common/delivery/deep.h"

#include "common/base/clock.h"
#include "common/base/seglog_walk.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "common/delivery/window.h"
#include "tests/support/chain_kit.h"
#include "tests/support/doctor.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCHES = 120, RECORDS = 3, FAULTS = 256, SEGMENT = 8192 };

static mr_error_t err;
static mr_chain_t chain = {
    .journal_segment = SEGMENT,
    .spool_segment = SEGMENT,
    .records = RECORDS,
    .filtered = 1,
};

static void
open_chain (void)
{
    mr_chain_open (&chain);
    mr_doctor_data (chain.data_dir);
}

/* BATCHES through both exporters in turn; the last two are in flight. */
static void
run_chain (void)
{
    open_chain ();
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_chain_take_in (&chain, seq);
        if (seq <= BATCHES - 2) {
            mr_chain_finish (&chain, seq, (int)(seq % 2));
        }
    }
}

/* ---- what the audit says ---- */

static mr_deep_fault_t faults[FAULTS];
static unsigned fault_count;
static mr_deep_journal_t found;
static unsigned journals_told;

static void
on_fault (void *arg, const mr_deep_fault_t *fault)
{
    (void)arg;
    if (fault_count < FAULTS) {
        faults[fault_count] = *fault;
    }
    fault_count++;
}

static void
on_journal (void *arg, const mr_deep_journal_t *told)
{
    (void)arg;
    found = *told;
    journals_told++;
}

static void
on_spool (void *arg, const mr_deep_spool_t *spool)
{
    (void)arg;
    ck_assert_uint_gt (spool->segments, 0);
}

static void
audit (void)
{
    const mr_deep_visitor_t visitor = {on_fault, on_journal, on_spool, NULL};
    fault_count = 0;
    journals_told = 0;
    mr_status_t status = mr_deep_read (chain.data_dir, &visitor, &err);
    ck_assert_msg (status == MR_OK, "%s: %s", mr_status_name (status), err.text);
    ck_assert_uint_eq (journals_told, 1);
}

static const char *
all_faults (void)
{
    static char text[3072];
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < fault_count && i < FAULTS && used < sizeof text - 600; i++) {
        used += (size_t)snprintf (text + used, sizeof text - used, "\n%.80s +%llu, batch %llu: %s",
                                  faults[i].file, (unsigned long long)faults[i].offset,
                                  (unsigned long long)faults[i].seq, faults[i].what);
    }
    return text;
}

/* One of the faults is about this batch (0: any) and this log ("": none), with these words. */
static const mr_deep_fault_t *
assert_fault (uint64_t seq, const char *log, const char *words)
{
    for (unsigned i = 0; i < fault_count && i < FAULTS; i++) {
        bool here = log[0] == '\0' ? faults[i].file[0] == '\0'
                                   : strncmp (faults[i].file, log, strlen (log)) == 0;
        if ((seq == 0 || faults[i].seq == seq) && here && strstr (faults[i].what, words) != NULL) {
            return &faults[i];
        }
    }
    ck_abort_msg ("no fault \"%s\" of batch %llu in %s:%s", words, (unsigned long long)seq, log,
                  all_faults ());
}

static void
assert_whole (void)
{
    audit ();
    ck_assert_msg (fault_count == 0, "%s", all_faults ());
    ck_assert (mr_tally_balanced (&found.tally));
}

/* ---- tests ---- */

#define IN_JOURNAL "ingest.0.journal", MR_JOURNAL_WORD_SEQ
#define IN_SPOOL(slot) "exporter." #slot ".spool", MR_SPOOL_WORD_SEQ

START_TEST (test_a_whole_chain_balances_while_it_is_open_and_at_rest)
{
    run_chain ();
    assert_whole ();
    ck_assert_uint_eq (found.tally.watermark, BATCHES - 2);
    ck_assert_uint_eq (found.tally.received, BATCHES * RECORDS);
    ck_assert_uint_eq (found.tally.settled_in, (BATCHES - 2) * RECORDS);
    ck_assert_uint_eq (found.tally.exported, (uint64_t)(BATCHES - 2) * (RECORDS - 1));
    ck_assert_uint_eq (found.tally.filtered, BATCHES - 2);
    ck_assert_uint_eq (found.batches, BATCHES - 2);
    ck_assert_uint_eq (found.compared, BATCHES - 2);
    ck_assert_uint_eq (found.from, 1);
    mr_chain_close (&chain);
    assert_whole ();
}
END_TEST

START_TEST (test_what_retention_took_is_proved_by_totals)
{
    run_chain ();
    ck_assert_int_eq (mr_journal_settle (chain.journal, BATCHES - 2, &err), MR_OK);
    mr_seglog_t *log = mr_spool_log (chain.spools[0]);
    unsigned removed = 0;
    ck_assert_int_eq (
        mr_seglog_trim (log, mr_seglog_end (log), mr_clock_wall_ns (), &removed, &err), MR_OK);
    ck_assert_uint_gt (removed, 0);
    mr_chain_close (&chain);
    assert_whole ();
    ck_assert_uint_gt (found.from, 1);
    ck_assert_uint_lt (found.from, BATCHES);
    ck_assert_uint_lt (found.batches, BATCHES - 2);
    ck_assert_uint_eq (found.tally.exported, (uint64_t)(BATCHES - 2) * (RECORDS - 1));
    mr_doctor_remove_last (1, BATCHES - 3); /* of the other spool */
    audit ();
    assert_fault (0, "", "3 are missing");
}
END_TEST

START_TEST (test_a_frame_that_was_removed_from_a_spool_is_missed)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_remove (IN_SPOOL (0), 10);
    audit ();
    assert_fault (10, "ingest.0.journal", "in no spool");
    assert_fault (0, "exporter.0.spool", "1 frame is missing before this one");
}
END_TEST

START_TEST (test_the_last_frame_of_a_spool_is_missed_too)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_remove_last (0, BATCHES - 2);
    audit ();
    assert_fault (BATCHES - 2, "ingest.0.journal", "in no spool");
    assert_fault (0, "", "3 are missing");
    ck_assert (!mr_tally_balanced (&found.tally));
}
END_TEST

START_TEST (test_a_frame_that_is_in_a_second_spool_too_is_found)
{
    run_chain ();
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, IN_SPOOL (0), 10);
    mr_seglog_frame_head_t frame;
    memcpy (&frame, file.bytes + at, sizeof frame);
    struct iovec iov = {file.bytes + at + MR_SEGLOG_FRAME_BYTES, frame.payload_bytes};
    mr_seglog_entry_t entry = {.type = MR_SEGLOG_DATA, .iov = &iov, .iov_count = 1};
    memcpy (entry.words, frame.words, sizeof entry.words);
    uint64_t position;
    ck_assert_int_eq (mr_seglog_append (mr_spool_log (chain.spools[1]), &entry, &position, &err),
                      MR_OK);
    free (file.bytes);
    mr_chain_close (&chain);
    audit ();
    assert_fault (10, "exporter.1.spool", "there twice: also in exporter.0.spool");
    assert_fault (0, "", "3 too many");
}
END_TEST

START_TEST (test_a_flipped_byte_in_a_spool_is_named_with_its_place)
{
    run_chain ();
    mr_chain_close (&chain);
    size_t at = mr_doctor_flip (IN_SPOOL (0), 10, MR_SEGLOG_FRAME_BYTES + 100);
    audit ();
    const mr_deep_fault_t *fault = assert_fault (0, "exporter.0.spool", "payload checksum");
    ck_assert_uint_eq (fault->offset, at);
    assert_fault (10, "ingest.0.journal", "in no spool");
}
END_TEST

START_TEST (test_counts_that_are_not_those_of_the_batch_are_found)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_word (IN_SPOOL (0), 10, MR_SPOOL_WORD_EXPORTED, 1);
    audit ();
    assert_fault (10, "exporter.0.spool", "the frame says exported 3");
    assert_fault (10, "exporter.0.spool", "the journal has 3 records of the batch, the spool 4");
    assert_fault (0, "", "1 too many");
}
END_TEST

START_TEST (test_a_cumulative_count_of_the_journal_that_is_off_is_found)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_word (IN_JOURNAL, 10, MR_JOURNAL_WORD_TOTAL, 1);
    audit ();
    assert_fault (10, "ingest.0.journal", "the frame says 31 records received so far; it has 3");
    mr_doctor_word (IN_JOURNAL, 10, MR_JOURNAL_WORD_TOTAL, -1);
    assert_whole ();
    mr_doctor_word (IN_JOURNAL, 10, MR_JOURNAL_WORD_RECEIVED, 1);
    audit ();
    assert_fault (10, "ingest.0.journal", "the frame says batch 10 with 4 records");
}
END_TEST

START_TEST (test_totals_at_the_start_of_a_segment_that_are_off_are_found)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_snapshot (IN_JOURNAL, BATCHES, 24); /* received */
    audit ();
    ck_assert_uint_eq (
        assert_fault (0, "ingest.0.journal", "the segment begins with batch")->offset, 0);
    mr_doctor_snapshot (IN_SPOOL (0), BATCHES - 2, 8 + 24); /* exported of the first sum */
    audit ();
    assert_fault (0, "exporter.0.spool", "the segment begins with");
}
END_TEST

START_TEST (test_a_frame_that_was_removed_from_the_journal_is_missed)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_remove (IN_JOURNAL, 10);
    audit ();
    assert_fault (11, "ingest.0.journal", "the frame says 33 records received so far; it has 3");
}
END_TEST

START_TEST (test_a_batch_that_the_journal_does_not_know_is_found)
{
    run_chain ();
    mr_chain_take_in (&chain, BATCHES + 1);
    mr_chain_finish (&chain, BATCHES + 1, 0);
    mr_chain_close (&chain);
    char dir[PATH_MAX];
    mr_journal_path (chain.data_dir, 0, dir);
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, IN_JOURNAL, BATCHES + 1);
    uint64_t position = file.head.start + at;
    free (file.bytes);
    ck_assert_int_eq (mr_seglog_cut (dir, NULL, position, &err), MR_OK);
    audit ();
    assert_fault (BATCHES + 1, "exporter.0.spool", "the journal does not know the batch");
}
END_TEST

START_TEST (test_batches_gone_with_the_first_segments_before_they_were_settled_are_found)
{
    open_chain ();
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_chain_take_in (&chain, seq);
    }
    mr_chain_finish (&chain, 1, 0);
    mr_chain_finish (&chain, 2, 1);
    mr_chain_close (&chain);
    char path[PATH_MAX + 64];
    snprintf (path, sizeof path, "%s/ingest.0.journal/0000000000000000.seg", chain.data_dir);
    ck_assert_int_eq (unlink (path), 0);
    audit ();
    assert_fault (0, "ingest.0.journal", "batches 3 to ");
    assert_fault (0, "", " are missing");
}
END_TEST

START_TEST (test_a_window_that_says_done_of_what_is_in_no_spool_is_found)
{
    run_chain ();
    ck_assert (mr_window_claim (chain.window, BATCHES, 0, 1));
    mr_window_done (chain.window, BATCHES, 1);
    mr_chain_close (&chain);
    audit ();
    ck_assert_uint_eq (found.tally.watermark, BATCHES - 2);
    assert_fault (BATCHES, "ingest.0.journal", "in no spool");
}
END_TEST

START_TEST (test_damage_of_the_journal_matters_where_nothing_else_vouches)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_flip (IN_JOURNAL, 10, MR_SEGLOG_FRAME_BYTES + 100);
    assert_whole (); /* it is settled */
    ck_assert_uint_eq (found.damaged, 1);
    ck_assert_uint_eq (found.compared, BATCHES - 3);
    size_t at = mr_doctor_flip (IN_JOURNAL, BATCHES, MR_SEGLOG_FRAME_BYTES + 100); /* in flight */
    audit ();
    ck_assert_uint_eq (assert_fault (0, "ingest.0.journal", "payload checksum")->offset, at);
}
END_TEST

START_TEST (test_what_was_given_up_is_in_the_equation)
{
    run_chain ();
    ck_assert (mr_window_claim (chain.window, BATCHES - 1, 0, 63));
    ck_assert_int_eq (mr_journal_lose (chain.journal, BATCHES - 1, &err), MR_OK);
    mr_window_done (chain.window, BATCHES - 1, 63);
    assert_whole ();
    ck_assert_uint_eq (found.tally.watermark, BATCHES - 1);
    ck_assert_uint_eq (found.tally.lost, RECORDS);
    mr_chain_close (&chain);
    assert_whole ();
}
END_TEST

START_TEST (test_without_a_window_what_the_journal_noted_holds)
{
    run_chain ();
    ck_assert_int_eq (mr_journal_settle (chain.journal, BATCHES / 2, &err), MR_OK);
    mr_chain_close (&chain);
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/ingest.0.window", chain.data_dir);
    ck_assert_int_eq (unlink (path), 0);
    assert_whole ();
    ck_assert_uint_eq (found.tally.watermark, BATCHES / 2);
    mr_tally_t tally;
    mr_status_t status =
        mr_tally_read (chain.data_dir, 0, &tally, &err); /* the quick one knows too */
    ck_assert_msg (status == MR_OK, "%s", err.text);
    ck_assert_uint_eq (tally.watermark, BATCHES / 2);
    ck_assert_uint_eq (tally.settled_in, BATCHES / 2 * RECORDS);
    ck_assert (mr_tally_balanced (&tally));
}
END_TEST

START_TEST (test_a_frame_that_holds_no_batch_or_another_one_is_found)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_payload (IN_JOURNAL, 10, 0);
    mr_doctor_payload (IN_SPOOL (0), 20, 0);
    mr_doctor_word (IN_JOURNAL, 30, MR_JOURNAL_WORD_FRAME_BYTES, 4096);
    mr_doctor_word (IN_SPOOL (0), 40, MR_SPOOL_WORD_SEQ, 1);
    audit ();
    assert_fault (10, "ingest.0.journal", "the frame holds no batch: ");
    assert_fault (20, "exporter.0.spool", "the frame holds no batch: ");
    assert_fault (30, "ingest.0.journal", "the frame holds no batch: it says more bytes than");
    assert_fault (41, "exporter.0.spool", "the batch in the frame says ");
    assert_fault (41, "exporter", "there twice");
    assert_fault (40, "ingest.0.journal", "in no spool");
}
END_TEST

START_TEST (test_a_number_that_does_not_rise_is_found)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_word (IN_JOURNAL, 10, MR_JOURNAL_WORD_SEQ, -1);
    audit ();
    assert_fault (9, "ingest.0.journal", "its number does not rise: batch 9 stands before it");
}
END_TEST

START_TEST (test_a_start_of_a_segment_that_is_broken_is_found)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_snapshot (IN_JOURNAL, BATCHES / 2, 0);
    mr_doctor_snapshot (IN_SPOOL (0), BATCHES / 2, 0);
    audit ();
    assert_fault (0, "ingest.0.journal", "what the segment begins with is broken");
    assert_fault (0, "exporter.0.spool", "what the segment begins with is broken");
}
END_TEST

/* What a log has from this batch on goes. */
static void
cut_log (const char *log, int seq_word, uint64_t seq)
{
    char dir[PATH_MAX];
    snprintf (dir, sizeof dir, "%.900s/%s", chain.data_dir, log);
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, log, seq_word, seq);
    uint64_t position = file.head.start + at;
    free (file.bytes);
    ck_assert_int_eq (mr_seglog_cut (dir, NULL, position, &err), MR_OK);
}

START_TEST (test_of_many_batches_twenty_are_named_and_the_others_counted)
{
    run_chain ();
    mr_chain_close (&chain);
    for (uint64_t seq = 2; seq <= 50; seq += 2) {
        mr_doctor_word (IN_SPOOL (0), seq, MR_SPOOL_WORD_DEAD, 1);
    }
    audit ();
    assert_fault (0, "", "5 more batches have other counts in the spool than in the journal");
    cut_log (IN_SPOOL (0), 60);
    audit ();
    assert_fault (0, "", "10 more batches are settled and in no spool");
    cut_log (IN_JOURNAL, 70);
    audit ();
    assert_fault (0, "", "4 more batches are in spools, and not in the journal");
}
END_TEST

START_TEST (test_a_newest_file_whose_beginning_is_broken_is_refused_with_what_to_do)
{
    run_chain ();
    mr_chain_close (&chain);
    mr_doctor_snapshot (IN_JOURNAL, BATCHES, 0);
    const mr_deep_visitor_t visitor = {on_fault, on_journal, on_spool, NULL};
    ck_assert_int_eq (mr_deep_read (chain.data_dir, &visitor, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "/ingest.0.journal: what its newest file begins with "
                                             "is broken; restore it or move the journal away"));
    open_chain ();
    mr_chain_take_in (&chain, 1);
    mr_chain_finish (&chain, 1, 1);
    mr_chain_close (&chain);
    mr_doctor_snapshot (IN_SPOOL (1), 1, 0);
    mr_tally_t tally;
    ck_assert_int_eq (mr_tally_read (chain.data_dir, 0, &tally, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "/exporter.1.spool: what its newest file begins with "
                                             "is broken; restore it or move the spool away"));
}

int
main (void)
{
    const TTest *const tests[] = {
        test_a_whole_chain_balances_while_it_is_open_and_at_rest,
        test_what_retention_took_is_proved_by_totals,
        test_a_frame_that_was_removed_from_a_spool_is_missed,
        test_the_last_frame_of_a_spool_is_missed_too,
        test_a_frame_that_is_in_a_second_spool_too_is_found,
        test_a_flipped_byte_in_a_spool_is_named_with_its_place,
        test_counts_that_are_not_those_of_the_batch_are_found,
        test_a_cumulative_count_of_the_journal_that_is_off_is_found,
        test_totals_at_the_start_of_a_segment_that_are_off_are_found,
        test_a_frame_that_was_removed_from_the_journal_is_missed,
        test_a_batch_that_the_journal_does_not_know_is_found,
        test_batches_gone_with_the_first_segments_before_they_were_settled_are_found,
        test_a_window_that_says_done_of_what_is_in_no_spool_is_found,
        test_damage_of_the_journal_matters_where_nothing_else_vouches,
        test_what_was_given_up_is_in_the_equation,
        test_without_a_window_what_the_journal_noted_holds,
        test_a_frame_that_holds_no_batch_or_another_one_is_found,
        test_a_number_that_does_not_rise_is_found,
        test_a_start_of_a_segment_that_is_broken_is_found,
        test_of_many_batches_twenty_are_named_and_the_others_counted,
        test_a_newest_file_whose_beginning_is_broken_is_refused_with_what_to_do,
        NULL,
    };
    return mr_suite_run ("deep", tests);
}
