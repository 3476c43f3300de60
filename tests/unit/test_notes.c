/* What a command prints of the launcher's notes while it waits. */
#include "launcher/notes.h"

#include "common/base/clock.h"
#include "tests/support/suite.h"

#include <stdlib.h>

static char *said;
static size_t said_bytes;
static mr_notes_t notes;

static void
begin (bool starting)
{
    notes = (mr_notes_t){.voice = open_memstream (&said, &said_bytes), .starting = starting};
    ck_assert_ptr_nonnull (notes.voice);
}

static void
take (const char *what, const char *worker, int64_t now_ms)
{
    char text[64];
    snprintf (text, sizeof text, "%s %s", worker, what);
    json_t *note = json_pack ("{s:s,s:s,s:s}", "note", what, "worker", worker, "text", text);
    mr_notes_take (&notes, note, now_ms * MR_NS_PER_MS);
    json_decref (note);
}

/* All that was said so far. */
static void
assert_said (const char *expected)
{
    ck_assert_str_eq (said, expected);
}

static void
end (void)
{
    fclose (notes.voice);
    free (said);
}

START_TEST (test_a_death_is_told_when_the_worker_runs_again)
{
    begin (false);
    take ("draining", "a.0", 1);
    take ("died", "a.0", 2);
    take ("died", "a.0", 3);
    take ("running", "b.0", 4);
    assert_said ("a.0 draining\nb.0 running\n");
    take ("running", "a.0", 5);
    assert_said ("a.0 draining\nb.0 running\na.0 died\na.0 running\n");
    end ();
}
END_TEST

START_TEST (test_a_death_is_told_when_that_takes_long_or_another_worker_dies)
{
    begin (false);
    take ("died", "a.0", 1000);
    mr_notes_take (&notes, NULL, 10999 * MR_NS_PER_MS);
    ck_assert_uint_eq (said_bytes, 0);
    mr_notes_take (&notes, NULL, 11000 * MR_NS_PER_MS);
    assert_said ("a.0 died\n");
    take ("died", "b.0", 12000);
    take ("died", "c.0", 12001);
    assert_said ("a.0 died\nb.0 died\n");
    end ();
}
END_TEST

START_TEST (test_of_a_start_who_is_given_up_is_left_to_the_answer)
{
    begin (true);
    take ("started", "a.0", 1);
    take ("died", "a.0", 2);
    take ("given_up", "a.0", 3);
    mr_notes_take (&notes, NULL, 60000 * MR_NS_PER_MS);
    ck_assert_uint_eq (said_bytes, 0);
    take ("adopted", "b.0", 60001);
    assert_said ("b.0 adopted\n");
    end ();
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_death_is_told_when_the_worker_runs_again,
        test_a_death_is_told_when_that_takes_long_or_another_worker_dies,
        test_of_a_start_who_is_given_up_is_left_to_the_answer,
        NULL,
    };
    return mr_suite_run ("notes", tests);
}
