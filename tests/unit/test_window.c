#include "common/delivery/window.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOURNAL = 0xabcd, WORKERS = 4 };

static char path[256];

static mr_window_t *
new_window (uint64_t base)
{
    mr_window_t *window = NULL;
    mr_error_t err = {.text = ""};
    snprintf (path, sizeof path, "%.200s/ingest.0.window", mr_test_dir ());
    mr_status_t status = mr_window_prepare (path, JOURNAL, base, &window, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    ck_assert_int_ne (access (path, F_OK), 0); /* it has no name yet */
    ck_assert_int_eq (mr_window_install (window, &err), MR_OK);
    ck_assert_int_eq (access (path, F_OK), 0);
    return window;
}

static mr_window_t *
open_window (uint64_t journal)
{
    mr_window_t *window = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_window_open (path, journal, &window, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return window;
}

static void
assert_word (const mr_window_t *window, uint64_t seq, uint8_t generation, mr_window_state_t state)
{
    mr_window_word_t word = mr_window_load (window, seq);
    ck_assert_uint_eq (word.seq, state == MR_WINDOW_NEVER ? 0 : seq);
    ck_assert_uint_eq (word.generation, generation);
    ck_assert_int_eq (word.state, state);
    ck_assert_int_eq (mr_window_settled (window, seq), state == MR_WINDOW_DONE);
}

START_TEST (test_a_batch_is_sent_claimed_and_done)
{
    mr_window_t *window = new_window (0);
    mr_window_t *other = open_window (JOURNAL); /* an exporter's */
    assert_word (window, 1, 0, MR_WINDOW_NEVER);
    mr_window_send (window, 1);
    assert_word (other, 1, 0, MR_WINDOW_SENT);
    ck_assert (mr_window_claim (other, 1, 0, 62));
    assert_word (window, 1, 0, MR_WINDOW_CLAIMED);
    ck_assert_uint_eq (mr_window_load (window, 1).slot, 62);
    ck_assert (!mr_window_claim (window, 1, 0, 3)); /* another copy comes too late */
    mr_window_done (other, 1, 62);
    assert_word (window, 1, 0, MR_WINDOW_DONE);
    ck_assert (!mr_window_claim (window, 1, 0, 3));
    mr_window_close (&other);
    mr_window_close (&window);
    ck_assert_ptr_null (window);
    window = open_window (0); /* it outlives those who mapped it */
    assert_word (window, 1, 0, MR_WINDOW_DONE);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_a_claim_given_back_counts_the_generation_up)
{
    mr_window_t *window = new_window (0);
    mr_window_send (window, 5);
    for (unsigned generation = 0; generation < 300; generation++) {
        uint8_t now = (uint8_t)generation; /* it goes round */
        ck_assert (!mr_window_claim (window, 5, (uint8_t)(now + 1), 2));
        ck_assert (mr_window_claim (window, 5, now, 2));
        mr_window_release (window, 5, 2);
        assert_word (window, 5, (uint8_t)(now + 1), MR_WINDOW_SENT);
        ck_assert (!mr_window_claim (window, 5, now, 2)); /* a copy from before */
    }
    mr_window_close (&window);
}
END_TEST

START_TEST (test_what_was_not_sent_cannot_be_claimed)
{
    mr_window_t *window = new_window (0);
    ck_assert (!mr_window_claim (window, 1, 0, 1));
    mr_window_send (window, 7);
    ck_assert (!mr_window_claim (window, 7 + MR_WINDOW_RING, 0, 1));
    ck_assert (!mr_window_claim (window, 8, 0, 1));
    ck_assert (mr_window_claim (window, 7, 0, 1));
    mr_window_close (&window);
}
END_TEST

START_TEST (test_late_copies_of_old_batches_find_no_word_when_the_ring_comes_round)
{
    mr_window_t *window = new_window (0);
    uint64_t old = 9;
    uint64_t next = old + MR_WINDOW_RING;
    mr_window_send (window, old);
    ck_assert (mr_window_claim (window, old, 0, 1));
    mr_window_done (window, old, 1);
    mr_window_send (window, next);
    ck_assert (mr_window_settled (window, old)); /* its word has moved on */
    ck_assert (!mr_window_settled (window, next));
    ck_assert (!mr_window_claim (window, old, 0, 1));
    ck_assert (mr_window_claim (window, next, 0, 1));
    uint64_t last = MR_WINDOW_MAX_SEQ;
    mr_window_send (window, last);
    ck_assert_uint_eq (mr_window_load (window, last).seq, last);
    mr_window_close (&window);
}
END_TEST

typedef struct found {
    int count;
    uint64_t sum;
} found_t;

static void
find (void *arg, uint64_t seq)
{
    found_t *found = arg;
    found->count++;
    found->sum += seq;
}

START_TEST (test_what_a_slot_has_claimed_is_found_for_settling)
{
    mr_window_t *window = new_window (0);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        mr_window_send (window, seq);
    }
    ck_assert (mr_window_claim (window, 1, 0, 0));
    ck_assert (mr_window_claim (window, 2, 0, 4));
    ck_assert (mr_window_claim (window, 3, 0, 4));
    ck_assert (mr_window_claim (window, 4, 0, 4));
    mr_window_done (window, 3, 4);
    found_t found = {0};
    mr_window_each_claimed (window, 4, find, &found);
    ck_assert_int_eq (found.count, 2);
    ck_assert_uint_eq (found.sum, 2 + 4);
    found = (found_t){0};
    mr_window_each_claimed (window, 5, find, &found);
    ck_assert_int_eq (found.count, 0);
    mr_window_close (&window);
}
END_TEST

/* Claim all, as fast as can be; each claim is entered in a table of everybody. */
static void
compete (mr_window_t *window, uint8_t *claims, uint64_t batches, uint8_t slot)
{
    for (uint64_t seq = 1; seq <= batches; seq++) {
        if (mr_window_claim (window, seq, 0, slot)) {
            __atomic_fetch_add (&claims[seq], 1, __ATOMIC_SEQ_CST);
            mr_window_done (window, seq, slot);
        } else {
            mr_window_count_refused (window);
        }
    }
    _exit (0);
}

START_TEST (test_of_many_copies_exactly_one_is_claimed)
{
    enum { BATCHES = 20000 };
    mr_window_t *window = new_window (0);
    uint8_t *claims =
        mmap (NULL, BATCHES + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne (claims, MAP_FAILED);
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_window_send (window, seq);
    }
    for (int slot = 0; slot < WORKERS; slot++) {
        pid_t pid = fork ();
        ck_assert_int_ge (pid, 0);
        if (pid == 0) {
            compete (window, claims, BATCHES, (uint8_t)slot);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        int how;
        ck_assert_int_gt (wait (&how), 0);
        ck_assert_int_eq (how, 0);
    }
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        ck_assert_uint_eq (claims[seq], 1);
        ck_assert (mr_window_settled (window, seq));
    }
    ck_assert_uint_eq (mr_window_refused (window), (WORKERS - 1) * BATCHES);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_the_header_says_whose_it_is_and_how_far)
{
    mr_window_t *window = new_window (1000);
    ck_assert_uint_eq (mr_window_journal (window), JOURNAL);
    ck_assert_uint_eq (mr_window_base (window), 1000);
    ck_assert_uint_eq (mr_window_replayed (window), 0);
    mr_window_note_watermark (window, 1234);
    mr_window_count_replayed (window);
    mr_window_mark_done (window, 1001, 3);
    ck_assert (mr_window_settled (window, 1001));
    mr_window_t *other = open_window (JOURNAL);
    ck_assert_uint_eq (mr_window_watermark (other), 1234);
    ck_assert_uint_eq (mr_window_replayed (other), 1);
    ck_assert (mr_window_is_current (other));
    mr_error_t err;
    mr_window_t *newer = NULL;
    ck_assert_int_eq (mr_window_prepare (path, JOURNAL, 0, &newer, &err), MR_OK);
    ck_assert (mr_window_is_current (other));
    ck_assert_int_eq (mr_window_install (newer, &err), MR_OK);
    ck_assert (!mr_window_is_current (other));
    ck_assert (mr_window_is_current (newer));
    mr_window_close (&newer);
    mr_window_close (&other);
    mr_window_close (&window);
}
END_TEST

/* Change a byte of the file, and see what opening it says. */
static void
assert_opens_as (off_t at, uint8_t flip, mr_status_t expected)
{
    int fd = open (path, O_RDWR);
    uint8_t byte;
    ck_assert_int_eq (pread (fd, &byte, 1, at), 1);
    byte ^= flip;
    ck_assert_int_eq (pwrite (fd, &byte, 1, at), 1);
    mr_window_t *window = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_window_open (path, JOURNAL, &window, &err), expected);
    ck_assert_ptr_null (window);
    ck_assert (expected == MR_CLOSED || strstr (err.text, path) != NULL);
    byte ^= flip;
    ck_assert_int_eq (pwrite (fd, &byte, 1, at), 1);
    close (fd);
}

START_TEST (test_a_file_of_another_journal_start_or_format_is_not_used)
{
    mr_window_t *window = new_window (0);
    mr_window_close (&window);
    mr_error_t err;
    ck_assert_int_eq (mr_window_open (path, JOURNAL + 1, &window, &err), MR_CLOSED);
    assert_opens_as (0, 1, MR_INVALID); /* magic */
    assert_opens_as (8, 2, MR_INVALID); /* version */
    assert_opens_as (16, 1, MR_CLOSED); /* journal */
    assert_opens_as (40, 1, MR_CLOSED); /* boot id */
    window = open_window (JOURNAL);
    mr_window_close (&window);
    ck_assert_int_eq (truncate (path, 4096), 0);
    ck_assert_int_eq (mr_window_open (path, JOURNAL, &window, &err), MR_CLOSED);
    ck_assert_int_eq (unlink (path), 0);
    ck_assert_int_eq (mr_window_open (path, JOURNAL, &window, &err), MR_CLOSED);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_batch_is_sent_claimed_and_done,
        test_a_claim_given_back_counts_the_generation_up,
        test_what_was_not_sent_cannot_be_claimed,
        test_late_copies_of_old_batches_find_no_word_when_the_ring_comes_round,
        test_what_a_slot_has_claimed_is_found_for_settling,
        test_of_many_copies_exactly_one_is_claimed,
        test_the_header_says_whose_it_is_and_how_far,
        test_a_file_of_another_journal_start_or_format_is_not_used,
        NULL,
    };
    return mr_suite_run ("window", tests);
}
