#include "stages/ingest/producers.h"
#include "tests/support/suite.h"

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
        NULL,
    };
    return mr_suite_run ("producers", tests);
}
