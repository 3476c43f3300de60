/* The journal: numbers are never used twice, whatever dies when. */
#include "common/delivery/journal.h"

#include "common/base/crashpoint.h"
#include "common/base/hash.h"
#include "common/base/seglog.h"
#include "common/delivery/ceiling.h"
#include "tests/support/delivery_kit.h"
#include "tests/support/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char data_dir[PATH_MAX - 64];
static char dir[PATH_MAX];

static void
begin (void)
{
    snprintf (data_dir, sizeof data_dir, "%.200s", mr_test_dir ());
    mr_journal_path (data_dir, 0, dir);
}

static mr_journal_t *
open_retaining (uint64_t retain_bytes)
{
    mr_journal_options_t options = {
        .data_dir = data_dir,
        .segment_bytes = 64 << 10,
        .retain_bytes = retain_bytes,
        .state = mr_kit_no_state,
    };
    mr_journal_t *journal = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_journal_open (&options, &journal, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return journal;
}

static mr_journal_t *
open_journal (void)
{
    return open_retaining (0);
}

static mr_status_t
try_append (mr_journal_t *journal, uint64_t seq, size_t trailer_bytes, mr_error_t *err)
{
    mr_kit_frame_t frame = mr_kit_frame_new (seq, 0, 3);
    static const char trailer[64 << 10];
    ck_assert_uint_le (trailer_bytes, sizeof trailer);
    mr_journal_entry_t entry = {.frame = frame.data,
                                .frame_bytes = frame.bytes,
                                .batch = &frame.batch,
                                .trailer = trailer,
                                .trailer_bytes = trailer_bytes};
    mr_status_t status = mr_journal_append (journal, &entry, err);
    mr_kit_frame_release (&frame);
    return status;
}

static void
append_with (mr_journal_t *journal, uint64_t seq, size_t trailer_bytes)
{
    mr_error_t err = {.text = ""};
    mr_status_t status = try_append (journal, seq, trailer_bytes, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
}

static void
append (mr_journal_t *journal, uint64_t seq)
{
    append_with (journal, seq, 0);
}

/* One that fills a segment. */
static void
append_large (mr_journal_t *journal, uint64_t seq)
{
    append_with (journal, seq, 64 << 10);
}

static void
settle (mr_journal_t *journal, uint64_t watermark)
{
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_journal_settle (journal, watermark, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
}

static unsigned
segments (void)
{
    unsigned count = 0;
    DIR *stream = opendir (dir);
    ck_assert_ptr_nonnull (stream);
    for (const struct dirent *entry; (entry = readdir (stream)) != NULL;) {
        count += strstr (entry->d_name, ".seg") != NULL;
    }
    closedir (stream);
    return count;
}

/* Batches 1 to 5, and another start of the machine. */
static void
five_batches_and_a_reboot (void)
{
    begin ();
    mr_journal_t *journal = open_journal ();
    for (uint64_t seq = 1; seq <= 5; seq++) {
        append (journal, seq);
    }
    mr_journal_close (&journal);
    mr_error_t err;
    ck_assert_int_eq (mr_ceiling_distrust (dir, &err), MR_OK);
}

static uint64_t
next_seq (void)
{
    mr_journal_t *journal = open_journal ();
    uint64_t seq = mr_journal_info (journal).next_seq;
    mr_journal_close (&journal);
    return seq;
}

START_TEST (test_numbers_go_on_where_they_were_and_above_the_ceiling_after_a_reboot)
{
    five_batches_and_a_reboot ();
    uint64_t after = 1 + MR_JOURNAL_SEQ_BLOCK + 1;
    ck_assert_uint_eq (next_seq (), after);
    mr_journal_t *journal = open_journal ();
    append (journal, after);
    mr_journal_close (&journal);
    ck_assert_uint_eq (next_seq (), after + 1);
}
END_TEST

START_TEST (test_who_dies_before_the_first_append_after_a_reboot_does_not_fall_back)
{
    five_batches_and_a_reboot ();
    uint64_t after = next_seq ();
    mr_error_t err;
    uint64_t ceiling;
    ck_assert_int_eq (mr_ceiling_raise (dir, after, MR_JOURNAL_SEQ_BLOCK, &ceiling, &err), MR_OK);
    ck_assert_uint_eq (ceiling, after + MR_JOURNAL_SEQ_BLOCK);
    ck_assert_uint_eq (next_seq (), after); /* as append does it, up to its frame */
    ck_assert_uint_eq (next_seq (), after);
}
END_TEST

START_TEST (test_a_life_that_is_killed_in_that_append_leaves_the_number_to_its_successor)
{
    five_batches_and_a_reboot ();
    uint64_t after = next_seq ();
    const char *names[1];
    if (mr_crash_names (names, 1) == 0) {
        return; /* none in a build without crash points; the test before this one holds there */
    }
    pid_t child = fork ();
    if (child == 0) {
        mr_journal_t *journal = open_journal ();
        mr_crash_arm ("seglog.append.begin");
        append (journal, after);
        _exit (0);
    }
    int status;
    ck_assert_int_eq (waitpid (child, &status, 0), child);
    ck_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    ck_assert_uint_eq (next_seq (), after);
}
END_TEST

START_TEST (test_numbers_at_or_below_the_watermark_never_come_again)
{
    five_batches_and_a_reboot ();
    uint64_t after = next_seq ();
    mr_journal_t *journal = open_journal ();
    mr_error_t err;
    ck_assert_int_eq (mr_journal_settle (journal, after - 1, &err), MR_OK); /* the gap, too */
    mr_journal_close (&journal);
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/ceiling", dir);
    ck_assert_int_eq (unlink (path), 0); /* whatever it says */
    ck_assert_uint_eq (next_seq (), after);
}
END_TEST

START_TEST (test_a_journal_that_was_put_back_reserves_numbers_before_it_gives_them_out)
{
    begin ();
    char aside[PATH_MAX];
    snprintf (aside, sizeof aside, "%s/aside", data_dir);
    mr_journal_t *journal = open_journal ();
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (rename (dir, aside), 0);
    ck_assert_int_eq (mr_journal_in_place (journal, &err), MR_CLOSED);
    ck_assert_int_eq (try_append (journal, 1, 0, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, "is gone or replaced"));
    ck_assert_int_eq (access (dir, F_OK), -1);
    ck_assert_int_eq (rename (aside, dir), 0);
    append (journal, 1);
    mr_journal_close (&journal);
    ck_assert_int_eq (mr_ceiling_distrust (dir, &err), MR_OK);
    ck_assert_uint_eq (next_seq (), 1 + MR_JOURNAL_SEQ_BLOCK + 1);
}
END_TEST

START_TEST (test_a_ceiling_of_the_first_version_is_read)
{
    five_batches_and_a_reboot ();
    struct {
        char magic[8];
        uint64_t ceiling;
        char boot_id[40];
        uint64_t check;
    } old = {.magic = {'C', 'E', 'I', 'L', 'I', 'N', 'G', '1'}, .ceiling = 4097};
    old.check = mr_hash64 (&old, offsetof (__typeof__ (old), check));
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/ceiling", dir);
    int fd = open (path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq (write (fd, &old, sizeof old), (ssize_t)sizeof old);
    close (fd);
    ck_assert_uint_eq (next_seq (), 4098);
    fd = open (path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq (write (fd, &old, sizeof old - 1), (ssize_t)sizeof old - 1);
    close (fd);
    mr_error_t err = {.text = ""};
    uint64_t seq = 1;
    uint64_t ceiling = 0;
    ck_assert_int_eq (mr_ceiling_open (dir, &seq, &ceiling, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "is broken"));
}
END_TEST

START_TEST (test_a_sync_makes_durable_what_was_appended_before_it_began)
{
    begin ();
    mr_journal_t *journal = open_journal ();
    mr_error_t err;
    append (journal, 1);
    ck_assert_int_eq (mr_journal_settle (journal, 1, &err), MR_OK);
    ck_assert_uint_eq (mr_journal_synced_seq (journal), 0);
    ck_assert_uint_eq (mr_journal_synced_watermark (journal), 0);
    ck_assert_int_eq (mr_journal_sync (journal, &err), MR_OK);
    append (journal, 2);
    ck_assert_int_eq (mr_journal_settle (journal, 2, &err), MR_OK);
    ck_assert_uint_eq (mr_journal_synced_seq (journal), 1);
    ck_assert_uint_eq (mr_journal_synced_watermark (journal), 1);
    mr_journal_close (&journal);
    journal = open_journal (); /* what an earlier life appended is not durable by itself */
    ck_assert_uint_eq (mr_journal_synced_seq (journal), 0);
    ck_assert_uint_eq (mr_journal_synced_watermark (journal), 0);
    ck_assert_int_eq (mr_journal_sync (journal, &err), MR_OK);
    ck_assert_uint_eq (mr_journal_synced_seq (journal), 2);
    ck_assert_uint_eq (mr_journal_synced_watermark (journal), 2);
    mr_journal_close (&journal);
}
END_TEST

START_TEST (test_batches_of_a_segment_each_go_as_fast_as_they_come)
{
    begin ();
    mr_journal_t *journal = open_journal ();
    uint64_t seq = 0;
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 40; i++) {
            append_large (journal, ++seq);
        }
        ck_assert_uint_ge (segments (), 40);
        settle (journal, seq);
        ck_assert_uint_le (segments (), 2);
    }
    mr_journal_close (&journal);
}
END_TEST

START_TEST (test_what_is_due_goes_though_the_watermark_stands_still)
{
    begin ();
    mr_journal_t *journal = open_retaining (1 << 30);
    for (uint64_t seq = 1; seq <= 40; seq++) {
        append_large (journal, seq);
    }
    settle (journal, 40);
    ck_assert_uint_ge (segments (), 40);
    mr_journal_close (&journal);
    journal = open_retaining (0); /* less than before, and nothing flows */
    settle (journal, 40);
    ck_assert_uint_le (segments (), 2);
    mr_journal_close (&journal);
}
END_TEST

START_TEST (test_it_has_grown_when_eight_segments_were_begun_since_it_was_settled)
{
    begin ();
    mr_journal_t *journal = open_journal ();
    settle (journal, 0);
    uint64_t seq = 0;
    for (int round = 0; round < 3; round++) {
        for (unsigned before = segments (); segments () < before + 8;) {
            ck_assert (!mr_journal_has_grown (journal));
            append_large (journal, ++seq);
        }
        ck_assert (mr_journal_has_grown (journal));
        settle (journal, 0); /* none may go, and that changes nothing */
        ck_assert (!mr_journal_has_grown (journal));
    }
    mr_journal_close (&journal);
}
END_TEST

START_TEST (test_a_frame_that_cannot_be_understood_is_named_with_its_place)
{
    begin ();
    mr_journal_t *journal = open_journal ();
    mr_journal_close (&journal);
    mr_seglog_options_t bare = {
        .dir = dir, .kind = MR_JOURNAL_KIND, .segment_bytes = 64 << 10, .max_payload_bytes = 100};
    mr_seglog_t *log = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_seglog_open (&bare, &log, &err), MR_OK);
    struct iovec iov = {(char[]){"abc"}, 3};
    mr_seglog_entry_t entry = {.type = MR_SEGLOG_DATA,
                               .words = {1, 1, 1, 1, 4}, /* a batch longer than the frame */
                               .iov = &iov,
                               .iov_count = 1};
    uint64_t position;
    ck_assert_int_eq (mr_seglog_append (log, &entry, &position, &err), MR_OK);
    mr_seglog_close (&log);
    mr_journal_options_t options = {
        .data_dir = data_dir,
        .segment_bytes = 64 << 10,
        .state = mr_kit_no_state,
    };
    ck_assert_int_eq (mr_journal_open (&options, &journal, &err), MR_INVALID);
    char expected[128];
    snprintf (expected, sizeof expected, "the frame at position %llu cannot be understood",
              (unsigned long long)position);
    ck_assert_ptr_nonnull (strstr (err.text, dir));
    ck_assert_ptr_nonnull (strstr (err.text, expected));
    ck_assert_ptr_nonnull (strstr (err.text, "restore the journal or move it away"));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_numbers_go_on_where_they_were_and_above_the_ceiling_after_a_reboot,
        test_who_dies_before_the_first_append_after_a_reboot_does_not_fall_back,
        test_a_life_that_is_killed_in_that_append_leaves_the_number_to_its_successor,
        test_numbers_at_or_below_the_watermark_never_come_again,
        test_a_journal_that_was_put_back_reserves_numbers_before_it_gives_them_out,
        test_a_ceiling_of_the_first_version_is_read,
        test_a_sync_makes_durable_what_was_appended_before_it_began,
        test_batches_of_a_segment_each_go_as_fast_as_they_come,
        test_what_is_due_goes_though_the_watermark_stands_still,
        test_it_has_grown_when_eight_segments_were_begun_since_it_was_settled,
        test_a_frame_that_cannot_be_understood_is_named_with_its_place,
        NULL,
    };
    return mr_suite_run ("journal", tests);
}
