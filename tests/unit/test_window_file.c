/* The window file: what each step finds and leaves, and who may open it. */
#include "common/delivery/window.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { JOURNAL = 77, OFFSET_VERSION = 8, OFFSET_BOOT = 40 };

static char path[PATH_MAX];

static mr_window_t *
make_window (void)
{
    snprintf (path, sizeof path, "%s/ingest.0.window", mr_test_dir ());
    mr_window_t *window = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_msg (mr_window_prepare (path, JOURNAL, 0, &window, &err) == MR_OK, "%s", err.text);
    ck_assert_int_ne (access (path, F_OK), 0); /* not before it is whole */
    ck_assert_msg (mr_window_install (window, &err) == MR_OK, "%s", err.text);
    return window;
}

static void
assert_word (const mr_window_t *window, uint64_t seq, mr_window_state_t state, uint8_t generation)
{
    mr_window_word_t word = mr_window_load (window, seq);
    ck_assert_uint_eq (word.seq, seq);
    ck_assert_int_eq (word.state, state);
    ck_assert_uint_eq (word.generation, generation);
}

START_TEST (test_a_batch_is_claimed_once)
{
    mr_window_t *window = make_window ();
    ck_assert (!mr_window_claim (window, 1, 0, 3)); /* never sent */
    mr_window_send (window, 1);
    assert_word (window, 1, MR_WINDOW_SENT, 0);
    ck_assert (mr_window_claim (window, 1, 0, 3));
    ck_assert (!mr_window_claim (window, 1, 0, 3));
    ck_assert (!mr_window_claim (window, 1, 0, 4));
    ck_assert (!mr_window_settled (window, 1));
    ck_assert_uint_eq (mr_window_load (window, 1).slot, 3);
    mr_window_done (window, 1, 3);
    assert_word (window, 1, MR_WINDOW_DONE, 0);
    ck_assert (mr_window_settled (window, 1));
    ck_assert (!mr_window_claim (window, 1, 0, 4));
    mr_window_close (&window);
}
END_TEST

START_TEST (test_a_copy_from_before_a_settling_is_stale)
{
    mr_window_t *window = make_window ();
    mr_window_send (window, 1);
    ck_assert (mr_window_claim (window, 1, 0, 3));
    mr_window_release (window, 1, 3);
    assert_word (window, 1, MR_WINDOW_SENT, 1);
    ck_assert (!mr_window_claim (window, 1, 0, 5));
    ck_assert (mr_window_claim (window, 1, 1, 5));
    mr_window_close (&window);
}
END_TEST

START_TEST (test_an_old_copy_finds_no_word_when_the_ring_came_round)
{
    mr_window_t *window = make_window ();
    mr_window_send (window, 1);
    ck_assert (mr_window_claim (window, 1, 0, 3));
    mr_window_done (window, 1, 3);
    mr_window_send (window, 1 + MR_WINDOW_RING);
    ck_assert (!mr_window_claim (window, 1, 0, 3));
    ck_assert (mr_window_settled (window, 1)); /* a newer seq in its place means done */
    assert_word (window, 1 + MR_WINDOW_RING, MR_WINDOW_SENT, 0);
    ck_assert (mr_window_claim (window, 1 + MR_WINDOW_RING, 0, 3));
    mr_window_close (&window);
}
END_TEST

START_TEST (test_the_highest_numbers_fit)
{
    mr_window_t *window = make_window ();
    uint64_t seq = MR_WINDOW_MAX_SEQ;
    mr_window_send (window, seq);
    for (int i = 0; i < 256; i++) { /* the generation comes round, too */
        ck_assert (mr_window_claim (window, seq, (uint8_t)i, 63));
        mr_window_release (window, seq, 63);
    }
    assert_word (window, seq, MR_WINDOW_SENT, 0);
    mr_window_close (&window);
}
END_TEST

static void
collect (void *arg, uint64_t seq)
{
    uint64_t *sum = arg;
    *sum += seq;
}

START_TEST (test_claims_of_one_slot_are_found)
{
    mr_window_t *window = make_window ();
    for (uint64_t seq = 1; seq <= 100; seq++) {
        mr_window_send (window, seq);
        if (seq % 10 == 0) {
            ck_assert (mr_window_claim (window, seq, 0, seq % 20 == 0 ? 2 : 1));
        }
    }
    uint64_t sum = 0;
    mr_window_each_claimed (window, 2, collect, &sum);
    ck_assert_uint_eq (sum, 20 + 40 + 60 + 80 + 100);
    mr_window_close (&window);
}
END_TEST

START_TEST (test_processes_share_one_file)
{
    mr_window_t *window = make_window ();
    mr_error_t err;
    mr_window_t *other = NULL;
    ck_assert_int_eq (mr_window_open (path, JOURNAL, &other, &err), MR_OK);
    mr_window_send (window, 9);
    ck_assert (mr_window_claim (other, 9, 0, 1));
    assert_word (window, 9, MR_WINDOW_CLAIMED, 0);
    mr_window_note_watermark (window, 8);
    ck_assert_uint_eq (mr_window_watermark (other), 8);
    ck_assert_uint_eq (mr_window_journal (other), JOURNAL);
    mr_window_close (&window);
    ck_assert_int_eq (mr_window_open (path, 0, &window, &err), MR_OK); /* any journal */
    assert_word (window, 9, MR_WINDOW_CLAIMED, 0);
    ck_assert_uint_eq (mr_window_watermark (window), 8);
    mr_window_close (&window);
    mr_window_close (&other);
}
END_TEST

typedef struct race {
    mr_window_t *window;
    uint8_t slot;
    unsigned won;
} race_t;

enum { RACED = 20000 };

static void *
claim_all (void *arg)
{
    race_t *race = arg;
    for (uint64_t seq = 1; seq <= RACED; seq++) {
        race->won += mr_window_claim (race->window, seq, 0, race->slot);
    }
    return NULL;
}

START_TEST (test_of_two_who_claim_one_gets_it)
{
    mr_window_t *window = make_window ();
    for (uint64_t seq = 1; seq <= RACED; seq++) {
        mr_window_send (window, seq);
    }
    race_t races[2] = {{.window = window, .slot = 1}, {.window = window, .slot = 2}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq (pthread_create (&threads[i], NULL, claim_all, &races[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join (threads[i], NULL);
    }
    ck_assert_uint_eq (races[0].won + races[1].won, RACED);
    mr_window_close (&window);
}
END_TEST

/* ---- who may open it ---- */

static mr_status_t
try_open (uint64_t journal)
{
    mr_window_t *window = NULL;
    mr_error_t err;
    mr_status_t status = mr_window_open (path, journal, &window, &err);
    mr_window_close (&window);
    return status;
}

static void
patch (off_t at, char byte)
{
    int fd = open (path, O_RDWR);
    ck_assert_int_ge (fd, 0);
    ck_assert_int_eq (pwrite (fd, &byte, 1, at), 1);
    close (fd);
}

START_TEST (test_a_window_of_others_is_not_opened)
{
    mr_window_t *window = make_window ();
    mr_window_close (&window);
    ck_assert_int_eq (try_open (JOURNAL), MR_OK);
    ck_assert_int_eq (try_open (JOURNAL + 1), MR_CLOSED); /* of another journal */
    patch (OFFSET_BOOT, '!');
    ck_assert_int_eq (try_open (JOURNAL), MR_CLOSED); /* of another start of the machine */
    patch (OFFSET_VERSION, 9);
    ck_assert_int_eq (try_open (JOURNAL), MR_INVALID);
    ck_assert_int_eq (truncate (path, 5000), 0);
    ck_assert_int_eq (try_open (JOURNAL), MR_CLOSED); /* not whole */
    ck_assert_int_eq (unlink (path), 0);
    ck_assert_int_eq (try_open (JOURNAL), MR_CLOSED);
}
END_TEST

START_TEST (test_a_window_that_was_replaced_says_so)
{
    mr_window_t *window = make_window ();
    ck_assert (mr_window_is_current (window));
    mr_window_t *next = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_window_prepare (path, JOURNAL + 1, 40, &next, &err), MR_OK);
    ck_assert (mr_window_is_current (window));
    ck_assert_int_eq (mr_window_install (next, &err), MR_OK);
    ck_assert (!mr_window_is_current (window));
    ck_assert (mr_window_is_current (next));
    ck_assert_uint_eq (mr_window_base (next), 40);
    ck_assert_int_eq (unlink (path), 0);
    ck_assert (!mr_window_is_current (next));
    mr_window_close (&window);
    mr_window_close (&next);
    mr_window_close (&next); /* twice is once */
}
END_TEST

START_TEST (test_everything_is_settled_up_to_the_first_that_is_not_however_far_that_is_behind)
{
    /* A full window, and behind it the numbers that another start of the machine skips. */
    enum { FIRST = 3, LIMIT = MR_WINDOW_MAX_LIMIT, GAP = 4097, TOP = FIRST + LIMIT + GAP };
    mr_window_t *window = make_window ();
    for (uint64_t seq = 1; seq <= TOP; seq++) {
        if (seq < FIRST || seq >= FIRST + LIMIT) {
            mr_window_mark_done (window, seq, 0);
        } else {
            mr_window_send (window, seq);
        }
    }
    ck_assert_uint_eq (mr_window_settled_through (window, 0, TOP), FIRST - 1);
    ck_assert_uint_eq (mr_window_settled_through (window, 1, TOP), FIRST - 1);
    for (uint64_t seq = FIRST; seq < FIRST + LIMIT; seq++) {
        mr_window_mark_done (window, seq, 0);
    }
    ck_assert_uint_eq (mr_window_settled_through (window, 0, TOP), TOP);
    ck_assert_uint_eq (mr_window_settled_through (window, 0, 100), 100);
    ck_assert_uint_eq (mr_window_settled_through (window, TOP, TOP), TOP);
    mr_window_close (&window);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_batch_is_claimed_once,
        test_a_copy_from_before_a_settling_is_stale,
        test_an_old_copy_finds_no_word_when_the_ring_came_round,
        test_the_highest_numbers_fit,
        test_claims_of_one_slot_are_found,
        test_processes_share_one_file,
        test_of_two_who_claim_one_gets_it,
        test_a_window_of_others_is_not_opened,
        test_a_window_that_was_replaced_says_so,
        test_everything_is_settled_up_to_the_first_that_is_not_however_far_that_is_behind,
        NULL,
    };
    return mr_suite_run ("window_file", tests);
}
