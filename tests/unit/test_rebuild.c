/* The window of a journal at start: as it is, or made anew; and no number is given out twice,
 * whatever is missing. */
#include "common/delivery/rebuild.h"

#include "common/delivery/absent.h"
#include "common/delivery/filelock.h"
#include "tests/support/delivery_kit.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCHES = 5, AFTER_THE_BLOCK = 1 + MR_JOURNAL_SEQ_BLOCK + 1 };

static char data_dir[PATH_MAX - 64];
static char path[PATH_MAX];
static mr_journal_t *journal;
static mr_window_t *window;
static mr_rebuild_t rebuild;

/* A life of ingest begins: its journal, then its window. */
static mr_status_t
start (void)
{
    mr_journal_options_t options = {
        .data_dir = data_dir,
        .segment_bytes = 64 << 10,
        .state = mr_kit_no_state,
    };
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_journal_open (&options, &journal, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    rebuild = (mr_rebuild_t){.data_dir = data_dir, .slot = 0, .path = path};
    return mr_rebuild_open (&rebuild, journal, &window, &err);
}

static void
die (void)
{
    mr_window_close (&window);
    mr_journal_close (&journal);
}

/* One batch with the next number, up to its word. */
static uint64_t
take_one (void)
{
    uint64_t seq = mr_journal_info (journal).next_seq;
    mr_kit_frame_t frame = mr_kit_frame_new (seq, 0, 3);
    mr_journal_entry_t entry = {
        .frame = frame.data, .frame_bytes = frame.bytes, .batch = &frame.batch};
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_journal_append (journal, &entry, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    mr_kit_frame_release (&frame);
    mr_window_send (window, seq);
    return seq;
}

/* A life that took five batches, and died. */
static void
begin (void)
{
    snprintf (data_dir, sizeof data_dir, "%.200s", mr_test_dir ());
    snprintf (path, sizeof path, "%s/ingest.0.window", data_dir);
    ck_assert_int_eq (start (), MR_OK);
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        ck_assert_uint_eq (take_one (), seq);
    }
    ck_assert_int_eq (mr_window_claim (window, 4, 0, 7), true);
    ck_assert_int_eq (mr_window_claim (window, 5, 0, 7), true);
    mr_window_done (window, 5, 7);
    die ();
}

/* An exporter has the window mapped, until what is returned is released. */
static int
map_as_exporter (void)
{
    char lock_path[PATH_MAX];
    mr_filelock_options_t exporter = mr_filelock_mapped (data_dir, 0, true, lock_path);
    mr_error_t err;
    int fd = -1;
    ck_assert_int_eq (mr_filelock_take (&exporter, &fd, &err), MR_OK);
    return fd;
}

/* Another byte in the records of the last batch, as a bad disk would have it. */
static void
damage_the_last_frame (void)
{
    char pattern[PATH_MAX + 64];
    glob_t found;
    snprintf (pattern, sizeof pattern, "%s/ingest.0.journal/*.seg", data_dir);
    ck_assert_int_eq (glob (pattern, 0, NULL, &found), 0);
    int fd = open (found.gl_pathv[found.gl_pathc - 1], O_RDWR);
    globfree (&found);
    static char bytes[1 << 20];
    ssize_t size = pread (fd, bytes, sizeof bytes, 0);
    const char *place = size > 0 ? memmem (bytes, (size_t)size, "{\"s\":5,", 7) : NULL;
    ck_assert_ptr_nonnull (place);
    ck_assert_int_eq (pwrite (fd, "#", 1, place - bytes), 1);
    close (fd);
}

START_TEST (test_a_whole_journal_and_its_window_are_taken_as_they_are)
{
    begin ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (rebuild.made, false);
    ck_assert_uint_eq (rebuild.damaged, 0);
    ck_assert_uint_eq (mr_window_top (window), BATCHES);
    ck_assert_uint_eq (take_one (), BATCHES + 1);
    die ();
}
END_TEST

START_TEST (test_the_number_of_a_damaged_last_frame_is_not_given_out_again)
{
    begin ();
    damage_the_last_frame ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_uint_eq (rebuild.info.top_seq, BATCHES - 1); /* the frame is gone, indeed */
    ck_assert_uint_eq (rebuild.damaged, BATCHES);
    ck_assert_uint_eq (mr_journal_info (journal).unknown, 1);
    ck_assert_int_eq (mr_window_settled (window, BATCHES), true); /* its copy was delivered */
    ck_assert_uint_eq (take_one (), BATCHES + 1);
    die ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_uint_eq (rebuild.damaged, 0);
    ck_assert_uint_eq (take_one (), BATCHES + 2);
    die ();
}
END_TEST

START_TEST (test_a_batch_of_unknown_size_is_counted_once_and_for_good)
{
    mr_error_t err;
    begin ();
    damage_the_last_frame ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (mr_journal_lose (journal, BATCHES, &err), MR_OK); /* no copy: given up */
    ck_assert_uint_eq (mr_journal_info (journal).unknown, 1);
    ck_assert_uint_eq (mr_journal_info (journal).lost, 0);
    for (int i = 0; i < 3000; i++) { /* other segments begin */
        take_one ();
        ck_assert_int_eq (mr_journal_settle (journal, 3, &err), MR_OK);
    }
    die ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_uint_eq (rebuild.damaged, 0);
    ck_assert_uint_eq (mr_journal_info (journal).unknown, 1);
    die ();
    char dir[PATH_MAX];
    mr_journal_path (data_dir, 0, dir);
    mr_journal_info_t info;
    ck_assert_int_eq (mr_journal_peek (dir, &info, &err), MR_OK);
    ck_assert_uint_eq (info.unknown, 1);
}
END_TEST

START_TEST (test_a_damaged_frame_with_notes_behind_it_is_counted_too)
{
    mr_error_t err;
    begin ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (mr_journal_settle (journal, BATCHES, &err), MR_OK);
    die ();
    damage_the_last_frame ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_uint_eq (rebuild.damaged, BATCHES);
    ck_assert_uint_eq (mr_journal_info (journal).unknown, 1);
    die ();
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_uint_eq (mr_journal_info (journal).unknown, 1);
    die ();
}
END_TEST

START_TEST (test_numbers_that_were_skipped_are_no_batches_that_are_gone)
{
    begin ();
    ck_assert_int_eq (unlink (path), 0);
    for (int i = 0; i < 3; i++) { /* the first makes the window anew, above the ceiling */
        ck_assert_int_eq (start (), MR_OK);
        ck_assert_uint_gt (mr_window_top (window), BATCHES);
        ck_assert_uint_eq (rebuild.damaged, 0);
        ck_assert_uint_eq (mr_journal_info (journal).unknown, 0);
        die ();
    }
}
END_TEST

static void
note_absent (void *arg, const mr_absent_t *absent)
{
    ck_assert_uint_eq (((mr_absent_t *)arg)->journal, 0); /* there is one */
    *(mr_absent_t *)arg = *absent;
}

static mr_absent_t
find_absent (void)
{
    mr_absent_t absent = {.journal = 0};
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_absent_each (data_dir, note_absent, &absent, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return absent;
}

START_TEST (test_the_window_of_a_journal_that_was_replaced_is_kept_until_it_is_back)
{
    char journal_path[PATH_MAX];
    char aside[PATH_MAX];
    begin ();
    mr_journal_path (data_dir, 0, journal_path);
    snprintf (aside, sizeof aside, "%s/aside", data_dir);
    ck_assert_uint_eq (find_absent ().journal, 0);
    ck_assert_int_eq (rename (journal_path, aside), 0);
    ck_assert_uint_eq (find_absent ().unsettled, BATCHES - 1); /* its window is in its place yet */
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (rebuild.made, true);
    ck_assert_uint_eq (take_one (), 1);
    mr_absent_t old = find_absent ();
    ck_assert (old.known && !mr_absent_is_settled (&old));
    ck_assert_uint_eq (old.unsettled, BATCHES - 1);
    ck_assert_int_eq (old.slot, 0);
    die ();

    char other[PATH_MAX];
    snprintf (other, sizeof other, "%s/other", data_dir);
    ck_assert_int_eq (rename (journal_path, other), 0);
    ck_assert_int_eq (rename (aside, journal_path), 0);
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_uint_eq (mr_journal_info (journal).id, old.journal);
    ck_assert_uint_ne (find_absent ().journal, old.journal); /* but the other one, ... */
    ck_assert_uint_eq (find_absent ().unsettled, 1);
    die ();
}
END_TEST

START_TEST (test_lives_that_take_nothing_in_between_fall_back_to_no_number)
{
    begin ();
    damage_the_last_frame ();
    for (int life = 0; life < 3; life++) {
        ck_assert_int_eq (start (), MR_OK);
        ck_assert_uint_eq (mr_journal_info (journal).next_seq, BATCHES + 1);
        die ();
    }
}
END_TEST

START_TEST (test_without_a_window_nobody_knows_what_is_on_its_way_and_numbers_go_on_above_all)
{
    begin ();
    damage_the_last_frame (); /* here nobody else could tell */
    ck_assert_int_eq (unlink (path), 0);
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (rebuild.made, true);
    ck_assert_uint_eq (rebuild.missing, BATCHES - 1);
    ck_assert_uint_eq (mr_window_load (window, BATCHES - 1).state, MR_WINDOW_SENT);
    ck_assert_int_eq (mr_window_settled (window, BATCHES), true);
    ck_assert_int_eq (mr_window_settled (window, AFTER_THE_BLOCK - 1), true);
    ck_assert_uint_eq (take_one (), AFTER_THE_BLOCK);
    die ();
}
END_TEST

START_TEST (test_a_window_is_not_made_anew_while_an_exporter_may_claim_in_the_old_one)
{
    begin ();
    ck_assert_int_eq (unlink (path), 0);
    int exporter = map_as_exporter ();
    ck_assert_int_eq (start (), MR_AGAIN);
    ck_assert_int_ne (access (path, F_OK), 0);
    die ();
    mr_filelock_release (exporter);
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (access (path, F_OK), 0);
    die ();
}
END_TEST

/* What a file system that was taken away under the mapping leaves: a file of zeros. It may still be
 * mapped, so an exporter is asked for as if it were gone. */
START_TEST (test_a_window_that_came_back_as_zeros_is_made_anew_when_no_exporter_has_it)
{
    begin ();
    struct stat whole;
    ck_assert_int_eq (stat (path, &whole), 0);
    ck_assert_int_eq (truncate (path, 0), 0);
    ck_assert_int_eq (truncate (path, whole.st_size), 0);
    int exporter = map_as_exporter ();
    ck_assert_int_eq (start (), MR_AGAIN);
    die ();
    mr_filelock_release (exporter);
    ck_assert_int_eq (start (), MR_OK);
    ck_assert_int_eq (rebuild.made, true);
    ck_assert_uint_eq (take_one (), AFTER_THE_BLOCK);
    die ();
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_whole_journal_and_its_window_are_taken_as_they_are,
        test_the_number_of_a_damaged_last_frame_is_not_given_out_again,
        test_a_batch_of_unknown_size_is_counted_once_and_for_good,
        test_a_damaged_frame_with_notes_behind_it_is_counted_too,
        test_numbers_that_were_skipped_are_no_batches_that_are_gone,
        test_lives_that_take_nothing_in_between_fall_back_to_no_number,
        test_the_window_of_a_journal_that_was_replaced_is_kept_until_it_is_back,
        test_without_a_window_nobody_knows_what_is_on_its_way_and_numbers_go_on_above_all,
        test_a_window_is_not_made_anew_while_an_exporter_may_claim_in_the_old_one,
        test_a_window_that_came_back_as_zeros_is_made_anew_when_no_exporter_has_it,
        NULL,
    };
    return mr_suite_run ("rebuild", tests);
}
