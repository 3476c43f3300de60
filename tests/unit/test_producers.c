#include "stages/ingest/producers.h"

#include "common/delivery/journal_format.h"
#include "common/wire/producer.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static mr_producers_t *
new_producers (uint32_t limit)
{
    mr_producers_t *producers = NULL;
    ck_assert_int_eq (mr_producers_new (limit, &producers), MR_OK);
    return producers;
}

START_TEST (test_an_unknown_producer_has_number_zero)
{
    mr_producers_t *producers = new_producers (10);
    ck_assert_uint_eq (mr_producers_last (producers, "web", 3), 0);
    ck_assert_int_eq (mr_producers_set (producers, "web", 3, 7), MR_OK);
    ck_assert_uint_eq (mr_producers_last (producers, "web", 3), 7);
    ck_assert_uint_eq (mr_producers_last (producers, "we", 2), 0);
    ck_assert_uint_eq (mr_producers_last (producers, "web\0", 4), 0);
    ck_assert_int_eq (mr_producers_set (producers, "web", 3, 8), MR_OK);
    ck_assert_uint_eq (mr_producers_last (producers, "web", 3), 8);
    mr_producers_destroy (&producers);
    ck_assert_ptr_null (producers);
}
END_TEST

START_TEST (test_the_longest_name_is_kept)
{
    char name[62];
    memset (name, 'n', sizeof name);
    mr_producers_t *producers = new_producers (10);
    ck_assert_int_eq (mr_producers_set (producers, name, sizeof name, UINT64_MAX), MR_OK);
    ck_assert_uint_eq (mr_producers_last (producers, name, sizeof name), UINT64_MAX);
    ck_assert_uint_eq (mr_producers_last (producers, name, sizeof name - 1), 0);
    mr_producers_destroy (&producers);
}
END_TEST

START_TEST (test_the_table_grows_and_keeps_all)
{
    enum { COUNT = 20000 };
    mr_producers_t *producers = new_producers (COUNT);
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        int bytes = snprintf (name, sizeof name, "producer-%d", i);
        ck_assert_int_eq (mr_producers_set (producers, name, (size_t)bytes, (uint64_t)i + 1),
                          MR_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        int bytes = snprintf (name, sizeof name, "producer-%d", i);
        ck_assert_uint_eq (mr_producers_last (producers, name, (size_t)bytes), (uint64_t)i + 1);
    }
    mr_producers_destroy (&producers);
}
END_TEST

START_TEST (test_more_producers_than_allowed_are_refused_and_the_known_go_on)
{
    mr_producers_t *producers = new_producers (2);
    ck_assert_int_eq (mr_producers_set (producers, "a", 1, 1), MR_OK);
    ck_assert_int_eq (mr_producers_set (producers, "b", 1, 1), MR_OK);
    ck_assert_int_eq (mr_producers_set (producers, "c", 1, 1), MR_CLOSED);
    ck_assert_uint_eq (mr_producers_last (producers, "c", 1), 0);
    ck_assert_int_eq (mr_producers_set (producers, "a", 1, 2), MR_OK);
    ck_assert_uint_eq (mr_producers_last (producers, "a", 1), 2);
    ck_assert_uint_eq (mr_producers_limit (producers), 2);
    mr_producers_destroy (&producers);
}
END_TEST

START_TEST (test_a_lower_limit_forgets_nobody)
{
    mr_producers_t *many = new_producers (10);
    mr_producers_t *few = new_producers (1);
    mr_buffer_t saved;
    mr_buffer_init (&saved, 4096);
    ck_assert_int_eq (mr_producers_set (many, "a", 1, 5), MR_OK);
    ck_assert_int_eq (mr_producers_set (many, "b", 1, 6), MR_OK);
    mr_producers_clear_changes (many);
    ck_assert_int_eq (mr_producers_save (many, &saved), MR_OK);
    ck_assert_int_eq (mr_producers_load (few, saved.data, saved.size), MR_OK);
    ck_assert_uint_eq (mr_producers_last (few, "a", 1), 5);
    ck_assert_uint_eq (mr_producers_last (few, "b", 1), 6);
    ck_assert_int_eq (mr_producers_set (few, "b", 1, 7), MR_OK);
    ck_assert_int_eq (mr_producers_set (few, "c", 1, 1), MR_CLOSED);
    mr_buffer_release (&saved);
    mr_producers_destroy (&many);
    mr_producers_destroy (&few);
}
END_TEST

/* A new segment's snapshot is written before the batch for which it was begun: a crash between the
 * two would otherwise acknowledge records that are nowhere. */
START_TEST (test_numbers_are_saved_only_once_their_records_are_in_the_journal)
{
    mr_producers_t *producers = new_producers (10);
    mr_producers_t *copy = new_producers (10);
    mr_buffer_t saved;
    mr_buffer_init (&saved, 4096);
    ck_assert_int_eq (mr_producers_set (producers, "web", 3, 7), MR_OK);
    mr_producers_clear_changes (producers);
    ck_assert_int_eq (mr_producers_set (producers, "web", 3, 9), MR_OK);
    ck_assert_int_eq (mr_producers_set (producers, "new", 3, 1), MR_OK);
    ck_assert_int_eq (mr_producers_save (producers, &saved), MR_OK);
    ck_assert_int_eq (mr_producers_load (copy, saved.data, saved.size), MR_OK);
    ck_assert_uint_eq (mr_producers_last (copy, "web", 3), 7);
    ck_assert_uint_eq (mr_producers_last (copy, "new", 3), 0);
    mr_producers_clear_changes (producers);
    mr_buffer_clear (&saved);
    ck_assert_int_eq (mr_producers_save (producers, &saved), MR_OK);
    ck_assert_int_eq (mr_producers_load (copy, saved.data, saved.size), MR_OK);
    ck_assert_uint_eq (mr_producers_last (copy, "web", 3), 9);
    ck_assert_uint_eq (mr_producers_last (copy, "new", 3), 1);
    mr_buffer_release (&saved);
    mr_producers_destroy (&copy);
    mr_producers_destroy (&producers);
}
END_TEST

/* Set one name, and say that the journal has it. */
static void
take (mr_producers_t *producers, const char *name, uint64_t last)
{
    ck_assert_int_eq (mr_producers_set (producers, name, strlen (name), last), MR_OK);
    mr_producers_clear_changes (producers);
}

static uint64_t
last_of (const mr_producers_t *producers, const char *name)
{
    return mr_producers_last (producers, name, strlen (name));
}

START_TEST (test_of_names_for_one_run_the_one_used_longest_ago_is_forgotten)
{
    mr_producers_t *producers = new_producers (3);
    take (producers, "once:a", 1);
    take (producers, "web", 7);
    take (producers, "once:b", 2);
    take (producers, "once:a", 3);
    take (producers, "once:c", 4);
    ck_assert_uint_eq (last_of (producers, "once:b"), 2);
    take (producers, "once:d", 5);
    ck_assert_uint_eq (last_of (producers, "once:b"), 0);
    ck_assert_uint_eq (last_of (producers, "once:a"), 3);
    ck_assert_uint_eq (last_of (producers, "once:c"), 4);
    ck_assert_uint_eq (last_of (producers, "once:d"), 5);
    ck_assert_uint_eq (last_of (producers, "web"), 7);
    mr_producers_destroy (&producers);
}
END_TEST

START_TEST (test_names_for_one_run_are_never_refused_and_never_in_the_way_of_lasting_ones)
{
    mr_producers_t *producers = new_producers (2);
    char name[32];
    for (uint64_t i = 1; i <= 5000; i++) {
        snprintf (name, sizeof name, "once:%" PRIu64, i);
        take (producers, name, i);
    }
    take (producers, "a", 1);
    take (producers, "b", 1);
    ck_assert_int_eq (mr_producers_set (producers, "c", 1, 1), MR_CLOSED);
    take (producers, "once:x", 1);
    ck_assert_uint_eq (last_of (producers, "once:x"), 1);
    ck_assert_uint_eq (last_of (producers, "once:5000"), 5000);
    ck_assert_uint_eq (last_of (producers, "once:4999"), 0);
    ck_assert_uint_eq (last_of (producers, "a"), 1);
    ck_assert_uint_eq (last_of (producers, "b"), 1);
    mr_producers_destroy (&producers);
}
END_TEST

START_TEST (test_lasting_names_take_the_places_of_those_for_one_run_but_for_the_least)
{
    enum { LIMIT = 3 * MR_PRODUCERS_ONCE_MIN };
    mr_producers_t *producers = new_producers (LIMIT);
    char name[32];
    for (int i = 1; i <= LIMIT; i++) {
        snprintf (name, sizeof name, "once:%d", i);
        take (producers, name, 1);
    }
    ck_assert_uint_eq (last_of (producers, "once:1"), 1);
    for (int i = 1; i <= LIMIT; i++) {
        snprintf (name, sizeof name, "%d", i);
        take (producers, name, 1);
        int forgotten = i < LIMIT - MR_PRODUCERS_ONCE_MIN ? i : LIMIT - MR_PRODUCERS_ONCE_MIN;
        snprintf (name, sizeof name, "once:%d", forgotten);
        ck_assert_uint_eq (last_of (producers, name), 0);
        snprintf (name, sizeof name, "once:%d", forgotten + 1);
        ck_assert_uint_eq (last_of (producers, name), 1);
    }
    mr_producers_destroy (&producers);
}
END_TEST

/* What one run of names did, one change a batch or several, as a journal holds it. */
typedef struct history {
    mr_producers_t *live;
    mr_buffer_t batches; /* u32 bytes, changes */
    mr_buffer_t text;    /* what is saved of another one */
} history_t;

static void
seal (history_t *history)
{
    size_t bytes;
    const void *changes = mr_producers_changes (history->live, &bytes);
    uint32_t length = (uint32_t)bytes;
    ck_assert_int_eq (mr_buffer_append (&history->batches, &length, sizeof length), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&history->batches, changes, bytes), MR_OK);
    mr_producers_clear_changes (history->live);
}

/* Where the names for one run begin, which have an order; lasting ones have none. */
static size_t
first_once (const mr_buffer_t *saved)
{
    size_t position = 0;
    size_t begin = 0;
    mr_journal_producer_t entry;
    while (mr_journal_producer_next (saved->data, saved->size, &position, &entry) == MR_OK &&
           !mr_producer_is_once (entry.name, entry.name_bytes)) {
        begin = position;
    }
    return begin;
}

static void
assert_same (const mr_producers_t *a, const mr_producers_t *b)
{
    mr_buffer_t one;
    mr_buffer_t other;
    mr_buffer_init (&one, 1 << 20);
    mr_buffer_init (&other, 1 << 20);
    ck_assert_int_eq (mr_producers_save (a, &one), MR_OK);
    ck_assert_int_eq (mr_producers_save (b, &other), MR_OK);
    ck_assert_uint_eq (one.size, other.size);
    size_t begin = first_once (&one);
    ck_assert_uint_eq (begin, first_once (&other));
    ck_assert_mem_eq (one.data + begin, other.data + begin, one.size - begin);
    mr_buffer_release (&one);
    mr_buffer_release (&other);
}

enum { HISTORY_NAMES = 12, HISTORY_BATCHES = 100, HISTORY_LIMIT = 5 };

static int
history_name (uint32_t who, char ret_name[32])
{
    return snprintf (ret_name, 32, who < 2 ? "lasting-%u" : "once:%u", who);
}

/* One to seven changes. */
static void
change_some (history_t *history, uint32_t *dice, uint64_t *number)
{
    char name[32];
    for (uint32_t left = 1 + (*dice >> 16) % 7; left > 0; left--) {
        *dice = *dice * 1664525 + 1013904223;
        int bytes = history_name ((*dice >> 16) % HISTORY_NAMES, name);
        ++*number;
        ck_assert_int_eq (mr_producers_set (history->live, name, (size_t)bytes, *number), MR_OK);
        ck_assert_uint_eq (last_of (history->live, name), *number);
    }
}

static void
compare_lives_with_a_snapshot_at (int snapshot_batch)
{
    history_t h = {.live = new_producers (HISTORY_LIMIT)};
    mr_buffer_init (&h.batches, 1 << 20);
    mr_buffer_init (&h.text, 1 << 20);
    size_t at = 0;
    uint64_t number = 0;
    uint32_t dice = (uint32_t)snapshot_batch + 1;
    for (int batch = 0; batch < HISTORY_BATCHES; batch++) {
        change_some (&h, &dice, &number);
        if (batch == snapshot_batch) {
            ck_assert_int_eq (mr_producers_save (h.live, &h.text), MR_OK);
            at = h.batches.size;
        }
        seal (&h);
    }
    mr_producers_t *next = new_producers (HISTORY_LIMIT);
    ck_assert_int_eq (mr_producers_load (next, h.text.data, h.text.size), MR_OK);
    while (at < h.batches.size) {
        uint32_t bytes;
        memcpy (&bytes, h.batches.data + at, sizeof bytes);
        at += sizeof bytes;
        ck_assert_int_eq (mr_producers_load (next, h.batches.data + at, bytes), MR_OK);
        at += bytes;
    }
    assert_same (h.live, next);
    for (uint32_t who = 0; who < HISTORY_NAMES; who++) {
        char name[32];
        history_name (who, name);
        ck_assert_uint_eq (last_of (h.live, name), last_of (next, name));
    }
    mr_buffer_release (&h.batches);
    mr_buffer_release (&h.text);
    mr_producers_destroy (&h.live);
    mr_producers_destroy (&next);
}

/* By names, numbers and order; each snapshot has changes under way. */
START_TEST (test_snapshot_and_journal_remember_what_the_life_before_remembered)
{
    for (int batch = 0; batch < HISTORY_BATCHES; batch++) {
        compare_lives_with_a_snapshot_at (batch);
    }
}
END_TEST

/* Forgotten for names whose records never came into the journal: a crash would make it untrue. */
START_TEST (test_nothing_is_forgotten_before_the_journal_holds_what_takes_its_place)
{
    mr_producers_t *producers = new_producers (1);
    mr_producers_t *next = new_producers (1);
    mr_buffer_t saved;
    mr_buffer_init (&saved, 4096);
    take (producers, "once:a", 3);
    ck_assert_int_eq (mr_producers_set (producers, "once:b", 6, 1), MR_OK);
    ck_assert_uint_eq (last_of (producers, "once:a"), 3);
    ck_assert_int_eq (mr_producers_save (producers, &saved), MR_OK);
    ck_assert_int_eq (mr_producers_load (next, saved.data, saved.size), MR_OK);
    ck_assert_uint_eq (last_of (next, "once:a"), 3);
    ck_assert_uint_eq (last_of (next, "once:b"), 0);
    mr_producers_clear_changes (producers);
    ck_assert_uint_eq (last_of (producers, "once:a"), 0);
    ck_assert_uint_eq (last_of (producers, "once:b"), 1);
    mr_buffer_release (&saved);
    mr_producers_destroy (&next);
    mr_producers_destroy (&producers);
}
END_TEST

/* Numbers that no ingest writes must do no harm: a journal may have been damaged by somebody. */
START_TEST (test_entries_that_repeat_a_name_or_have_number_zero_are_kept_once)
{
    mr_producers_t *producers = new_producers (2);
    static const char text[] = "\6once:a\0\0\0\0\0\0\0\0\6once:a\0\0\0\0\0\0\0\0"
                               "\6once:b\1\0\0\0\0\0\0\0\6once:a\2\0\0\0\0\0\0\0"
                               "\6once:c\3\0\0\0\0\0\0\0";
    ck_assert_int_eq (mr_producers_load (producers, text, sizeof text - 1), MR_OK);
    ck_assert_uint_eq (last_of (producers, "once:a"), 2);
    ck_assert_uint_eq (last_of (producers, "once:b"), 0);
    ck_assert_uint_eq (last_of (producers, "once:c"), 3);
    mr_producers_destroy (&producers);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_an_unknown_producer_has_number_zero,
        test_the_longest_name_is_kept,
        test_the_table_grows_and_keeps_all,
        test_more_producers_than_allowed_are_refused_and_the_known_go_on,
        test_a_lower_limit_forgets_nobody,
        test_numbers_are_saved_only_once_their_records_are_in_the_journal,
        test_of_names_for_one_run_the_one_used_longest_ago_is_forgotten,
        test_names_for_one_run_are_never_refused_and_never_in_the_way_of_lasting_ones,
        test_lasting_names_take_the_places_of_those_for_one_run_but_for_the_least,
        test_snapshot_and_journal_remember_what_the_life_before_remembered,
        test_nothing_is_forgotten_before_the_journal_holds_what_takes_its_place,
        test_entries_that_repeat_a_name_or_have_number_zero_are_kept_once,
        NULL,
    };
    return mr_suite_run ("producers", tests);
}
