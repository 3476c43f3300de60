/* The segment log on a simulated file system: deaths, power losses, full disks, failing calls. */
#include "common/base/seglog.h"

#include "tests/support/seglog_kit.h"
#include "tests/support/simfs.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static mr_kit_reading_t reading;

/* What a history of appends, deaths and losses must have left. */
typedef struct {
    mr_simfs_t *fs;
    mr_seglog_options_t options;
    mr_seglog_t *log;
    uint64_t next;              /* number of the next frame */
    uint8_t fate[MR_KIT_MAX];   /* by number */
    uint64_t place[MR_KIT_MAX]; /* position, of those that were written */
    unsigned damages;
    uint64_t synced;  /* below it everything is durable */
    uint64_t trimmed; /* below it segments may be gone */
} history_t;

enum { UNBORN, MAYBE, WRITTEN, REFUSED, LOST };

static void
history_init (history_t *self, uint64_t seed)
{
    memset (self, 0, sizeof *self);
    self->fs = mr_simfs_new (seed);
    self->options = mr_kit_options ("sim", mr_simfs_ops (self->fs));
    self->next = 1;
}

static void
history_release (history_t *self)
{
    mr_seglog_close (&self->log);
    mr_simfs_destroy (&self->fs);
}

/* One random step; what it does may fail. */
static void
step (history_t *self)
{
    uint64_t dice = mr_simfs_random (self->fs, 100);
    mr_status_t status = MR_OK;
    if (dice < 80) {
        uint64_t number = self->next++;
        uint64_t position = 0;
        size_t bytes = (size_t)mr_simfs_random (self->fs, 1200);
        ck_assert_uint_lt (number, MR_KIT_MAX);
        status = mr_kit_try (self->log, number, bytes, &position);
        self->fate[number] = status == MR_OK ? WRITTEN : status == MR_AGAIN ? REFUSED : MAYBE;
        self->place[number] = position;
    } else if (dice < 88) {
        status = mr_seglog_sync (self->log, NULL);
        self->synced = status == MR_OK ? mr_seglog_end (self->log) : self->synced;
    } else if (dice < 94) {
        uint64_t upto = mr_seglog_first (self->log);
        upto += mr_simfs_random (self->fs, mr_seglog_end (self->log) - upto + 1);
        self->trimmed = upto > self->trimmed ? upto : self->trimmed;
        status = mr_seglog_trim (self->log, upto, 0, NULL, NULL);
    } else if (dice < 97) {
        status = mr_seglog_roll (self->log, NULL);
    } else {
        status = mr_seglog_reserve (self->log, 1000, NULL);
    }
    ck_assert (status == MR_OK || status == MR_AGAIN || status == MR_SYSTEM);
}

/* Read all and compare. power: since the last comparison power was lost, so that what was not
 * synced may be gone; and it stays gone. */
static void
compare (history_t *self, bool power)
{
    static bool found[MR_KIT_MAX];
    memset (found, 0, sizeof found);
    mr_kit_read_all ("sim", self->options.ops, 0, &reading);
    ck_assert_uint_eq (reading.bad, 0);
    ck_assert (power || reading.damages <= self->damages);
    self->damages = reading.damages; /* gaps that power losses tore stay */
    for (unsigned i = 0; i < reading.count; i++) {
        uint64_t number = reading.numbers[i];
        ck_assert (i == 0 || number > reading.numbers[i - 1]);
        ck_assert_uint_lt (number, self->next);
        uint8_t fate = self->fate[number];
        ck_assert_msg (fate == WRITTEN || fate == MAYBE, "frame %u has fate %d", (unsigned)number,
                       fate);
        ck_assert (fate == MAYBE || self->place[number] == reading.positions[i]);
        self->fate[number] = WRITTEN;
        self->place[number] = reading.positions[i];
        found[number] = true;
    }
    for (uint64_t i = 1; i < self->next; i++) {
        if (found[i] || self->fate[i] == REFUSED || self->fate[i] == LOST) {
            continue;
        }
        bool may_be_gone = self->fate[i] == MAYBE || self->place[i] < self->trimmed ||
                           (power && self->place[i] >= self->synced);
        ck_assert_msg (may_be_gone, "frame %u at %llu is gone (synced %llu, trimmed %llu)",
                       (unsigned)i, (unsigned long long)self->place[i],
                       (unsigned long long)self->synced, (unsigned long long)self->trimmed);
        /* A trimmed frame may come back with its file's name; a lost one must not. */
        if (self->place[i] >= self->trimmed || self->fate[i] == MAYBE) {
            self->fate[i] = LOST;
        }
    }
}

static void
one_history (uint64_t seed)
{
    history_t history;
    history_init (&history, seed);
    bool power_before = false;
    for (int life = 0; life < 6; life++) {
        mr_status_t status = mr_seglog_open (&history.options, &history.log, NULL);
        ck_assert_int_eq (status, MR_OK);
        compare (&history, power_before);
        mr_simfs_die_at (history.fs, 1 + mr_simfs_random (history.fs, 120));
        for (int i = 0; i < 150 && !mr_simfs_is_dead (history.fs); i++) {
            step (&history);
        }
        mr_seglog_close (&history.log);
        power_before = mr_simfs_random (history.fs, 2) == 0;
        if (power_before) {
            mr_simfs_power_loss (history.fs);
        } else {
            mr_simfs_kill (history.fs);
        }
    }
    history_release (&history);
}

START_TEST (test_nothing_synced_is_lost_and_nothing_lost_returns_whatever_dies)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        one_history (seed * 7919);
    }
}
END_TEST

/* A fixed story that meets every kind of call; appends are repeated until they work. */
static void
story (history_t *self, int tries)
{
    for (int i = 0; i < tries && self->log == NULL; i++) {
        (void)!mr_seglog_open (&self->options, &self->log, NULL);
    }
    ck_assert_ptr_nonnull (self->log);
    for (uint64_t number = 1; number <= 30; number++) {
        mr_status_t status = MR_AGAIN;
        for (int i = 0; i < tries && status != MR_OK; i++) {
            if (number % 3 == 0) {
                (void)!mr_seglog_reserve (self->log, 600, NULL);
            }
            status = mr_kit_try (self->log, number, 600, &self->place[number]);
        }
        ck_assert_int_eq (status, MR_OK);
        self->fate[number] = WRITTEN;
        self->next = number + 1;
        if (number % 7 == 0 && mr_seglog_sync (self->log, NULL) == MR_OK) {
            self->synced = mr_seglog_end (self->log);
        }
        if (number % 10 == 0) {
            (void)!mr_seglog_trim (self->log, self->place[number], 0, NULL, NULL);
            self->trimmed = self->place[number];
        }
    }
}

static void
fail_everywhere (int error, uint64_t times)
{
    for (uint64_t nth = 1;; nth++) {
        history_t history;
        history_init (&history, nth);
        mr_simfs_fail_at (history.fs, nth, error, times);
        story (&history, (int)times + 2);
        uint64_t calls = mr_simfs_calls (history.fs);
        mr_simfs_fail_at (history.fs, 0, 0, 0);
        compare (&history, false);
        uint64_t end = mr_seglog_end (history.log);
        mr_seglog_close (&history.log);
        mr_simfs_kill (history.fs);
        history.log = mr_kit_open (&history.options);
        ck_assert_uint_eq (mr_seglog_end (history.log), end);
        compare (&history, false);
        history_release (&history);
        if (nth > calls) {
            ck_assert_uint_gt (nth, 60); /* there were so many calls to fail */
            return;
        }
    }
}

START_TEST (test_any_call_may_fail_once_for_want_of_space)
{
    fail_everywhere (ENOSPC, 1);
}
END_TEST

START_TEST (test_any_call_may_fail_thrice_with_an_io_error)
{
    fail_everywhere (EIO, 3);
}
END_TEST

START_TEST (test_any_call_may_fail_on_a_disk_turned_read_only)
{
    fail_everywhere (EROFS, 2);
}
END_TEST

/* Frames with these numbers, of 700 bytes. */
static void
append (history_t *self, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        self->place[i] = mr_kit_append (self->log, i, 700);
        self->fate[i] = WRITTEN;
        self->next = i + 1;
    }
}

START_TEST (test_a_failed_sync_is_made_good_by_the_next)
{
    for (uint64_t nth = 1; nth < 60; nth++) {
        history_t history;
        history_init (&history, nth);
        history.log = mr_kit_open (&history.options);
        append (&history, 1, 20);
        mr_simfs_fail_at (history.fs, nth, EIO, 1);
        mr_status_t first = mr_seglog_sync (history.log, NULL);
        mr_simfs_fail_at (history.fs, 0, 0, 0);
        ck_assert (first == MR_OK || mr_seglog_synced (history.log) == 0);
        ck_assert_int_eq (mr_seglog_sync (history.log, NULL), MR_OK);
        history.synced = mr_seglog_end (history.log);
        mr_seglog_close (&history.log);
        mr_simfs_power_loss (history.fs);
        history.log = mr_kit_open (&history.options);
        compare (&history, true);
        ck_assert_uint_eq (reading.count, 20);
        history_release (&history);
    }
}
END_TEST

START_TEST (test_a_failed_sync_is_made_good_by_the_next_life)
{
    for (uint64_t nth = 1; nth < 60; nth++) {
        history_t history;
        history_init (&history, nth);
        history.log = mr_kit_open (&history.options);
        append (&history, 1, 5);
        ck_assert_int_eq (mr_seglog_sync (history.log, NULL), MR_OK);
        append (&history, 6, 20);
        mr_simfs_fail_at (history.fs, nth, EIO, 1);
        (void)!mr_seglog_sync (history.log, NULL);
        mr_simfs_fail_at (history.fs, 0, 0, 0);
        mr_seglog_close (&history.log);
        mr_simfs_kill (history.fs); /* the next life knows of no failure */
        history.log = mr_kit_open (&history.options);
        ck_assert_int_eq (mr_seglog_sync (history.log, NULL), MR_OK);
        mr_seglog_close (&history.log);
        mr_simfs_power_loss (history.fs);
        history.log = mr_kit_open (&history.options);
        history.synced = mr_seglog_end (history.log);
        compare (&history, true);
        ck_assert_uint_eq (reading.count, 20);
        history_release (&history);
    }
}
END_TEST

START_TEST (test_a_full_disk_pauses_the_log_and_it_goes_on_when_there_is_space)
{
    history_t history;
    history_init (&history, 5);
    history.log = mr_kit_open (&history.options);
    mr_simfs_set_space (history.fs, 60000);
    mr_error_t err = {.text = ""};
    mr_status_t status = MR_OK;
    uint64_t number = 0;
    uint64_t position;
    while (status == MR_OK) {
        status = mr_kit_try (history.log, ++number, 900, &position);
    }
    ck_assert_int_eq (status, MR_AGAIN);
    ck_assert_uint_gt (number, 40);
    ck_assert_int_eq (mr_seglog_reserve (history.log, 900, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, "No space left"));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq (mr_kit_try (history.log, number, 900, &position), MR_AGAIN);
    }
    mr_kit_read_all ("sim", history.options.ops, 0, &reading);
    ck_assert_uint_eq (reading.count, number - 1);
    mr_simfs_set_space (history.fs, 0);
    mr_kit_append (history.log, number, 900);
    mr_kit_read_all ("sim", history.options.ops, 0, &reading);
    ck_assert_uint_eq (reading.count, number);
    ck_assert_uint_eq (reading.damages + reading.bad, 0);
    history_release (&history);
}
END_TEST

START_TEST (test_what_was_reserved_is_there_when_the_disk_is_full)
{
    history_t history;
    history_init (&history, 6);
    history.log = mr_kit_open (&history.options);
    for (uint64_t i = 1; i < 40; i++) {
        ck_assert_int_eq (mr_seglog_reserve (history.log, 900, NULL), MR_OK);
        mr_simfs_set_space (history.fs, 1); /* not a byte more */
        mr_kit_append (history.log, i, 900);
        mr_simfs_set_space (history.fs, 0);
    }
    history_release (&history);
}
END_TEST

START_TEST (test_a_full_disk_still_has_the_recycled_files)
{
    history_t history;
    history_init (&history, 7);
    history.log = mr_kit_open (&history.options);
    for (uint64_t i = 1; i <= 20; i++) {
        mr_kit_append (history.log, i, 900);
    }
    ck_assert_int_eq (mr_seglog_trim (history.log, UINT64_MAX, 0, NULL, NULL), MR_OK);
    mr_seglog_stats_t stats;
    mr_seglog_stats (history.log, &stats);
    ck_assert_uint_eq (stats.pool_segments, 2);
    mr_simfs_set_space (history.fs, 1);
    for (uint64_t i = 21; i <= 26; i++) {
        ck_assert_int_eq (mr_seglog_reserve (history.log, 900, NULL), MR_OK);
        mr_kit_append (history.log, i, 900);
    }
    history_release (&history);
}
END_TEST

/* Calls and bytes that opening costs with so many segments behind. */
static uint64_t
cost_of_open (uint64_t frames, uint64_t *ret_bytes)
{
    history_t history;
    history_init (&history, 1);
    history.log = mr_kit_open (&history.options);
    for (uint64_t i = 1; i <= frames; i++) {
        mr_kit_append (history.log, i, 600);
    }
    mr_seglog_close (&history.log);
    uint64_t calls = mr_simfs_calls (history.fs);
    uint64_t bytes = mr_simfs_bytes_read (history.fs);
    history.log = mr_kit_open (&history.options);
    calls = mr_simfs_calls (history.fs) - calls;
    *ret_bytes = mr_simfs_bytes_read (history.fs) - bytes;
    history_release (&history);
    return calls;
}

START_TEST (test_opening_costs_the_same_with_ten_and_with_four_hundred_segments)
{
    uint64_t few_bytes = 0;
    uint64_t many_bytes = 0;
    uint64_t few = cost_of_open (50, &few_bytes);
    uint64_t many = cost_of_open (2000, &many_bytes);
    ck_assert_uint_eq (few, many);
    ck_assert_uint_eq (few_bytes, many_bytes);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_nothing_synced_is_lost_and_nothing_lost_returns_whatever_dies,
        test_any_call_may_fail_once_for_want_of_space,
        test_any_call_may_fail_thrice_with_an_io_error,
        test_any_call_may_fail_on_a_disk_turned_read_only,
        test_a_failed_sync_is_made_good_by_the_next,
        test_a_failed_sync_is_made_good_by_the_next_life,
        test_a_full_disk_pauses_the_log_and_it_goes_on_when_there_is_space,
        test_what_was_reserved_is_there_when_the_disk_is_full,
        test_a_full_disk_still_has_the_recycled_files,
        test_opening_costs_the_same_with_ten_and_with_four_hundred_segments,
        NULL,
    };
    return mr_suite_run ("seglog_faults", tests);
}
