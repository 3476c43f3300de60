/* The spool: claims and settling, every crash point, and disks that refuse. */
#include "common/delivery/spool.h"

#include "common/base/crashpoint.h"
#include "tests/support/delivery_kit.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCHES = 400, NAMES_MAX = 200, COMMIT_AT = 5 };

static char data_dir[PATH_MAX - 64];

static void
begin (void)
{
    snprintf (data_dir, sizeof data_dir, "%.200s", mr_test_dir ());
}

static mr_status_t
offer (mr_spool_t *spool, mr_window_t *window, uint64_t seq)
{
    bool released = false;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_kit_offer (spool, window, seq, &released, &err);
    ck_assert (!released);
    return status;
}

START_TEST (test_a_batch_is_taken_once)
{
    begin ();
    mr_window_t *window = mr_kit_window (data_dir);
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    ck_assert_int_eq (offer (spool, window, 1), MR_CLOSED); /* never sent */
    mr_window_send (window, 1);
    ck_assert_int_eq (offer (spool, window, 1), MR_OK);
    ck_assert_int_eq (mr_window_load (window, 1).state, MR_WINDOW_DONE);
    ck_assert_int_eq (offer (spool, window, 1), MR_CLOSED);
    mr_window_send (window, 2);
    ck_assert (mr_window_claim (window, 2, 0, 5)); /* another exporter is at it */
    ck_assert_int_eq (offer (spool, window, 2), MR_CLOSED);
    mr_kit_frame_t stale = mr_kit_frame_new (2, 0, 3);
    mr_window_release (window, 2, 5);
    mr_spool_offer_t old = {
        .window = window, .frame = stale.data, .bytes = stale.bytes, .batch = &stale.batch};
    bool released;
    mr_error_t err;
    ck_assert_int_eq (mr_spool_accept (spool, &old, &released, &err), MR_CLOSED);
    mr_kit_frame_release (&stale);
    ck_assert_int_eq (offer (spool, window, 2), MR_OK); /* of the next generation */
    unsigned counts[3];
    ck_assert_uint_eq (mr_kit_spooled (data_dir, counts, 3), 2);
    ck_assert (counts[1] == 1 && counts[2] == 1);
    mr_spool_close (&spool);
    mr_window_close (&window);
}
END_TEST

static void
assert_sums (const mr_spool_t *spool, uint64_t batches)
{
    uint32_t count;
    const mr_spool_sum_t *sums = mr_spool_sums (spool, &count);
    ck_assert_uint_eq (count, batches > 0);
    if (batches > 0) {
        ck_assert_uint_eq (sums->journal, MR_KIT_JOURNAL);
        ck_assert_uint_eq (sums->batches, batches);
        ck_assert_uint_eq (sums->max_seq, batches);
        ck_assert_uint_eq (sums->exported, 3 * batches);
    }
}

START_TEST (test_sums_outlive_restarts_and_trimmed_segments)
{
    begin ();
    mr_window_t *window = mr_kit_window (data_dir);
    for (uint64_t seq = 0; seq < 1000;) {
        mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
        assert_sums (spool, seq);
        for (int i = 0; i < 250; i++) {
            mr_window_send (window, ++seq);
            ck_assert_int_eq (offer (spool, window, seq), MR_OK);
        }
        assert_sums (spool, seq);
        mr_seglog_t *log = mr_spool_log (spool);
        mr_error_t err;
        ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), 0, NULL, &err), MR_OK);
        mr_spool_close (&spool);
    }
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    ck_assert_uint_gt (mr_seglog_first (mr_spool_log (spool)), 0);
    assert_sums (spool, 1000);
    mr_seglog_frame_t last[MR_SPOOL_KEEP]; /* what settling looks at is never trimmed */
    ck_assert_uint_eq (mr_seglog_last (mr_spool_log (spool), last, MR_SPOOL_KEEP), MR_SPOOL_KEEP);
    mr_spool_close (&spool);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_sums_are_read_as_they_were_written_or_refused)
{
    mr_spool_sum_t sums[2] = {{.journal = 1, .max_seq = 2, .exported = 3}, {.journal = 4}};
    mr_spool_sum_t read[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    mr_buffer_t text;
    mr_error_t err;
    mr_buffer_init (&text, 1 << 16);
    ck_assert_int_eq (mr_spool_sums_encode (sums, 2, &text), MR_OK);
    ck_assert_int_eq (mr_spool_sums_decode (text.data, text.size, read, &count, &err), MR_OK);
    ck_assert_uint_eq (count, 2);
    ck_assert_mem_eq (read, sums, sizeof sums);
    for (size_t bytes = 0; bytes < text.size; bytes++) {
        ck_assert_int_eq (mr_spool_sums_decode (text.data, bytes, read, &count, &err), MR_INVALID);
    }
    for (size_t i = 0; i < 8; i++) { /* magic, version, count */
        text.data[i] ^= 0x55;
        ck_assert_int_eq (mr_spool_sums_decode (text.data, text.size, read, &count, &err),
                          MR_INVALID);
        text.data[i] ^= 0x55;
    }
    mr_buffer_release (&text);
}
END_TEST

START_TEST (test_sums_of_living_journals_are_never_forgotten)
{
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    for (uint32_t i = 0; i < MR_SPOOL_SUMS_MAX; i++) {
        sums[i] = (mr_spool_sum_t){.journal = i + 1, .max_seq = 9, .batches = 1, .exported = i};
    }
    const uint64_t living[] = {1, 200};
    uint32_t count = MR_SPOOL_SUMS_MAX;
    mr_spool_sums_forget (sums, &count, living, 2);
    ck_assert_uint_eq (count, 3);
    ck_assert (sums[0].journal == 1 && sums[0].exported == 0 && sums[0].max_seq == 9);
    ck_assert (sums[1].journal == 200 && sums[1].exported == 199);
    ck_assert (sums[2].journal == 0 && sums[2].max_seq == 0);
    ck_assert_uint_eq (sums[2].batches, MR_SPOOL_SUMS_MAX - 2);
    uint64_t all = (uint64_t)MR_SPOOL_SUMS_MAX * (MR_SPOOL_SUMS_MAX - 1) / 2;
    ck_assert_uint_eq (sums[2].exported, all - 199);
    mr_spool_sums_forget (sums, &count, living, 1); /* again: what is forgotten stays so */
    ck_assert_uint_eq (count, 2);
    ck_assert_uint_eq (sums[1].exported, all);
}
END_TEST

/* ---- death ---- */

/* One life: settle, then take what is SENT, in order; dies at the point, or is done. */
static bool
live (const char *point)
{
    pid_t child = fork ();
    if (child == 0) {
        mr_crash_arm (point);
        mr_window_t *window = mr_kit_window (data_dir);
        mr_spool_t *spool = mr_kit_spool (data_dir, strstr (point, "sync") != NULL, NULL);
        (void)mr_spool_settle (spool, window);
        for (uint64_t seq = 1; seq <= BATCHES; seq++) {
            if (mr_window_load (window, seq).state == MR_WINDOW_SENT) {
                ck_assert_int_eq (offer (spool, window, seq), MR_OK);
            }
            bool full = mr_spool_waiting (spool) == COMMIT_AT;
            ck_assert (!full || mr_spool_commit (spool, NULL) == MR_OK);
        }
        ck_assert_int_eq (mr_spool_commit (spool, NULL), MR_OK);
        mr_spool_close (&spool);
        mr_window_close (&window);
        _exit (0);
    }
    int status;
    ck_assert_int_eq (waitpid (child, &status, 0), child);
    if (WIFEXITED (status)) {
        ck_assert_int_eq (WEXITSTATUS (status), 0);
        return true;
    }
    ck_assert_int_eq (WTERMSIG (status), SIGKILL);
    return false;
}

/* Lives that die there again and again, then one that does not: each batch is there once. */
static unsigned
die_and_live (const char *name)
{
    begin ();
    mr_window_t *window = mr_kit_window (data_dir);
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_window_send (window, seq);
    }
    unsigned deaths = 0;
    for (unsigned nth = 1; nth <= 5; nth++) {
        char point[128];
        snprintf (point, sizeof point, "%s:%u", name, nth);
        deaths += !live (point);
    }
    ck_assert_msg (live (""), "the last life died");
    unsigned counts[BATCHES + 1];
    ck_assert_msg (mr_kit_spooled (data_dir, counts, BATCHES + 1) == BATCHES, "%s", name);
    for (unsigned seq = 1; seq <= BATCHES; seq++) {
        ck_assert_msg (counts[seq] == 1, "%s: batch %u is there %u times", name, seq, counts[seq]);
        ck_assert_int_eq (mr_window_load (window, seq).state, MR_WINDOW_DONE);
    }
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    assert_sums (spool, BATCHES);
    mr_spool_close (&spool);
    mr_window_close (&window);
    return deaths;
}

START_TEST (test_each_batch_is_there_once_whatever_step_a_life_dies_at)
{
    const char *names[NAMES_MAX];
    size_t count = mr_crash_names (names, NAMES_MAX);
    ck_assert_uint_le (count, NAMES_MAX);
    unsigned met = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp (names[i], "spool.accept", 12) == 0 ||
            strncmp (names[i], "seglog.append", 13) == 0 ||
            strncmp (names[i], "seglog.roll", 11) == 0 ||
            strncmp (names[i], "seglog.sync", 11) == 0) {
            ck_assert_msg (die_and_live (names[i]) > 0, "nobody passes %s", names[i]);
            met++;
        }
    }
    ck_assert (count == 0 || met >= 10); /* none in a build without crash points */
}
END_TEST

/* A life that dies with a claim, or with a frame that its word does not know of. */
static mr_window_t *
die_with_claim (const char *point)
{
    begin ();
    mr_window_t *window = mr_kit_window (data_dir);
    mr_window_send (window, 1);
    mr_window_send (window, 2);
    ck_assert (!live (point));
    return window;
}

START_TEST (test_a_claim_without_a_frame_is_given_back_by_its_successor)
{
    mr_window_t *window = die_with_claim ("spool.accept.claimed:2");
    ck_assert_int_eq (mr_window_load (window, 2).state, MR_WINDOW_CLAIMED);
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    ck_assert_uint_eq (mr_spool_settle (spool, window), 1);
    mr_window_word_t word = mr_window_load (window, 2);
    ck_assert (word.state == MR_WINDOW_SENT && word.generation == 1);
    ck_assert_int_eq (mr_window_load (window, 1).state, MR_WINDOW_DONE);
    mr_spool_close (&spool);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_a_frame_whose_word_says_claimed_is_done)
{
    mr_window_t *window = die_with_claim ("spool.accept.appended:2");
    ck_assert_int_eq (mr_window_load (window, 2).state, MR_WINDOW_CLAIMED);
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    ck_assert_uint_eq (mr_spool_settle (spool, window), 0);
    ck_assert_int_eq (mr_window_load (window, 2).state, MR_WINDOW_DONE);
    mr_spool_close (&spool);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_others_settle_for_the_dead_only)
{
    mr_window_t *window = die_with_claim ("spool.accept.claimed:2");
    mr_spool_options_t slot_0 = {.data_dir = data_dir};
    mr_spool_options_t slot_9 = {.data_dir = data_dir, .slot = 9};
    unsigned freed = 0;
    mr_error_t err = {.text = ""};
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL); /* it lives again */
    ck_assert_int_eq (mr_spool_settle_dead (&slot_0, window, &freed, &err), MR_AGAIN);
    ck_assert_int_eq (mr_window_load (window, 2).state, MR_WINDOW_CLAIMED);
    mr_spool_close (&spool);
    ck_assert_int_eq (mr_spool_settle_dead (&slot_0, window, &freed, &err), MR_OK);
    ck_assert_uint_eq (freed, 1);
    ck_assert_int_eq (mr_window_load (window, 2).state, MR_WINDOW_SENT);
    ck_assert (mr_window_claim (window, 2, 1, 9)); /* one that never made a spool */
    ck_assert_int_eq (mr_spool_settle_dead (&slot_9, window, &freed, &err), MR_OK);
    ck_assert_uint_eq (freed, 1);
    ck_assert_uint_eq (mr_window_load (window, 2).generation, 2);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_a_spool_has_one_owner)
{
    begin ();
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    mr_spool_options_t options = {.data_dir = data_dir, .segment_bytes = 64 << 10};
    mr_spool_t *second = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_spool_open (&options, &second, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, "exporter.0.spool"));
    mr_spool_close (&spool);
}
END_TEST

/* ---- disks that refuse ---- */

typedef struct sick {
    mr_kit_faults_t faults;
    mr_window_t *window;
    mr_spool_t *spool;
} sick_t;

/* Batch 1 is taken, 2 and 3 are SENT, and the disk is still well. */
static void
begin_sick (sick_t *sick, bool fsync)
{
    begin ();
    *sick = (sick_t){.window = mr_kit_window (data_dir)};
    sick->spool = mr_kit_spool (data_dir, fsync, mr_kit_failing_ops (&sick->faults));
    for (uint64_t seq = 1; seq <= 3; seq++) {
        mr_window_send (sick->window, seq);
    }
    ck_assert_int_eq (offer (sick->spool, sick->window, 1), MR_OK);
}

/* The rest is taken, and everything is there once. */
static void
end_sick (sick_t *sick)
{
    for (uint64_t seq = 1; seq <= 3; seq++) {
        if (mr_window_load (sick->window, seq).state == MR_WINDOW_SENT) {
            ck_assert_int_eq (offer (sick->spool, sick->window, seq), MR_OK);
        }
    }
    unsigned counts[4];
    ck_assert_uint_eq (mr_kit_spooled (data_dir, counts, 4), 3);
    ck_assert (counts[1] == 1 && counts[2] == 1 && counts[3] == 1);
    assert_sums (sick->spool, 3);
    mr_spool_close (&sick->spool);
    mr_window_close (&sick->window);
}

START_TEST (test_a_claim_that_cannot_be_honoured_is_given_back)
{
    sick_t sick;
    begin_sick (&sick, false);
    sick.faults.write = true;
    bool released = false;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_kit_offer (sick.spool, sick.window, 2, &released, &err), MR_AGAIN);
    ck_assert (released);
    ck_assert (!mr_spool_is_holding (sick.spool));
    mr_window_word_t word = mr_window_load (sick.window, 2);
    ck_assert (word.state == MR_WINDOW_SENT && word.generation == 1);
    sick.faults.write = false;
    end_sick (&sick);
}
END_TEST

START_TEST (test_a_claim_is_held_while_the_log_is_in_doubt)
{
    sick_t sick;
    begin_sick (&sick, false);
    sick.faults = (mr_kit_faults_t){.write = true, .truncate = true};
    bool released = false;
    mr_error_t err = {.text = ""};
    for (int i = 0; i < 3; i++) { /* nothing can be cut, so nothing is given back */
        ck_assert_int_eq (mr_kit_offer (sick.spool, sick.window, 2, &released, &err), MR_SYSTEM);
        ck_assert (!released);
        ck_assert (mr_spool_is_holding (sick.spool));
        ck_assert_int_eq (mr_window_load (sick.window, 2).state, MR_WINDOW_CLAIMED);
    }
    ck_assert_int_eq (mr_kit_offer (sick.spool, sick.window, 3, &released, &err), MR_SYSTEM);
    ck_assert_int_eq (mr_window_load (sick.window, 3).state, MR_WINDOW_SENT);
    sick.faults = (mr_kit_faults_t){.write = false};
    ck_assert_int_eq (mr_kit_offer (sick.spool, sick.window, 3, &released, &err), MR_OK);
    ck_assert (released); /* batch 2, so ingest must be told */
    ck_assert_int_eq (mr_window_load (sick.window, 2).state, MR_WINDOW_SENT);
    ck_assert (!mr_spool_is_holding (sick.spool));
    end_sick (&sick);
}
END_TEST

START_TEST (test_done_waits_for_the_disks_word_and_the_batch_is_not_appended_again)
{
    sick_t sick;
    begin_sick (&sick, true);
    sick.faults.sync = true;
    bool released = false;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_kit_offer (sick.spool, sick.window, 2, &released, &err), MR_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq (mr_spool_commit (sick.spool, &err), MR_AGAIN);
        ck_assert (mr_spool_waiting (sick.spool) == 2 && mr_spool_is_holding (sick.spool));
        ck_assert_int_eq (mr_window_load (sick.window, 1).state, MR_WINDOW_CLAIMED);
        ck_assert_int_eq (mr_window_load (sick.window, 2).state, MR_WINDOW_CLAIMED);
    }
    sick.faults.sync = false;
    ck_assert_int_eq (mr_spool_commit (sick.spool, &err), MR_OK);
    ck_assert (mr_spool_waiting (sick.spool) == 0 && !mr_spool_is_holding (sick.spool));
    ck_assert_int_eq (mr_window_load (sick.window, 2).state, MR_WINDOW_DONE);
    end_sick (&sick);
}
END_TEST

/* As many claims as may wait, and one more that is only claimed: settling must find all of them. */
START_TEST (test_what_waits_for_the_disk_is_settled_by_whoever_comes_next)
{
    for (int own = 0; own < 2; own++) {
        begin ();
        mr_window_t *window = mr_kit_window (data_dir);
        mr_spool_t *spool = mr_kit_spool (data_dir, true, NULL);
        for (uint64_t seq = 1; seq <= MR_SPOOL_KEEP + 1; seq++) {
            mr_window_send (window, seq);
        }
        for (uint64_t seq = 1; seq <= MR_SPOOL_KEEP; seq++) {
            ck_assert_int_eq (offer (spool, window, seq), MR_OK);
            ck_assert_int_eq (mr_window_load (window, seq).state, MR_WINDOW_CLAIMED);
        }
        ck_assert (mr_window_claim (window, MR_SPOOL_KEEP + 1, 0, 0));
        mr_spool_close (&spool); /* as if it died here */
        unsigned freed = 0;
        mr_error_t err;
        if (own == 1) {
            spool = mr_kit_spool (data_dir, true, NULL);
            freed = mr_spool_settle (spool, window);
            mr_spool_close (&spool);
        } else {
            mr_spool_options_t dead = {.data_dir = data_dir, .fsync = true};
            ck_assert_int_eq (mr_spool_settle_dead (&dead, window, &freed, &err), MR_OK);
        }
        ck_assert_uint_eq (freed, 1);
        for (uint64_t seq = 1; seq <= MR_SPOOL_KEEP; seq++) {
            ck_assert_int_eq (mr_window_load (window, seq).state, MR_WINDOW_DONE);
        }
        ck_assert_int_eq (mr_window_load (window, MR_SPOOL_KEEP + 1).state, MR_WINDOW_SENT);
        mr_window_close (&window);
    }
}
END_TEST

START_TEST (test_metric_rows_stand_between_batches)
{
    begin ();
    mr_window_t *window = mr_kit_window (data_dir);
    mr_spool_t *spool = mr_kit_spool (data_dir, false, NULL);
    mr_spool_metrics_t rows = {.sink = 5, .rows = "{}\n{}\n", .bytes = 6, .count = 2};
    mr_error_t err;
    mr_window_send (window, 1);
    ck_assert_int_eq (mr_spool_append_metrics (spool, &rows, &err), MR_OK);
    ck_assert_int_eq (offer (spool, window, 1), MR_OK);
    assert_sums (spool, 1); /* rows are no batch */
    mr_seglog_frame_t last[2];
    ck_assert_uint_eq (mr_seglog_last (mr_spool_log (spool), last, 2), 1);
    mr_spool_close (&spool);
    mr_window_close (&window);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_batch_is_taken_once,
        test_sums_of_living_journals_are_never_forgotten,
        test_sums_outlive_restarts_and_trimmed_segments,
        test_sums_are_read_as_they_were_written_or_refused,
        test_each_batch_is_there_once_whatever_step_a_life_dies_at,
        test_a_claim_without_a_frame_is_given_back_by_its_successor,
        test_a_frame_whose_word_says_claimed_is_done,
        test_others_settle_for_the_dead_only,
        test_a_spool_has_one_owner,
        test_a_claim_that_cannot_be_honoured_is_given_back,
        test_a_claim_is_held_while_the_log_is_in_doubt,
        test_done_waits_for_the_disks_word_and_the_batch_is_not_appended_again,
        test_what_waits_for_the_disk_is_settled_by_whoever_comes_next,
        test_metric_rows_stand_between_batches,
        NULL,
    };
    return mr_suite_run ("spool", tests);
}
