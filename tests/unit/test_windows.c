/* Which windows an exporter finds, and up to where it may let go of frames. */
#include "stages/exporter/windows.h"

#include "tests/support/chain_kit.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OTHER = 99, OFFSET_VERSION = 8 };

static mr_error_t err;
static mr_chain_t chain;
static mr_windows_t windows;

static const char *
path_of (const char *name)
{
    static char path[PATH_MAX];
    snprintf (path, sizeof path, "%.200s/%s", chain.data_dir, name);
    return path;
}

/* Two batches are SENT; the windows are open. */
static uint64_t
begin (void)
{
    unsigned freed = 7;
    chain = (mr_chain_t){
        .journal_segment = 1 << 20, .spool_segment = 64 << 10, .records = 5, .filtered = 2};
    mr_chain_open (&chain);
    mr_chain_take_in (&chain, 1);
    mr_chain_take_in (&chain, 2);
    ck_assert_msg (mr_windows_open (&windows, chain.data_dir, chain.spools[0], &freed, &err) ==
                       MR_OK,
                   "%s", err.text);
    ck_assert_uint_eq (freed, 0);
    return mr_journal_info (chain.journal).id;
}

static void
end (void)
{
    mr_windows_close (&windows);
    mr_chain_close (&chain);
}

static mr_status_t
find (uint64_t journal, uint32_t origin)
{
    mr_window_t *window = NULL;
    const mr_batch_t batch = {.journal = journal, .origin = (uint8_t)origin, .seq = 1};
    mr_status_t status = mr_windows_find (&windows, chain.spools[0], &batch, &window, &err);
    ck_assert_int_eq (status == MR_OK, window != NULL);
    ck_assert (window == NULL || mr_window_journal (window) == journal);
    return status;
}

START_TEST (test_a_batch_finds_the_window_of_its_journal_and_slot_alone)
{
    uint64_t journal = begin ();
    ck_assert_int_eq (find (journal, 0), MR_OK);
    ck_assert_int_eq (find (journal + 1, 0), MR_CLOSED);
    ck_assert_int_eq (find (journal, 5), MR_CLOSED);
    ck_assert_int_eq (find (journal, MR_SLOTS_MAX), MR_CLOSED);
    ck_assert_int_eq (find (journal, 0), MR_OK);
    end ();
}
END_TEST

START_TEST (test_a_claim_of_the_last_life_is_given_back_when_windows_are_opened)
{
    unsigned freed = 0;
    begin ();
    ck_assert (mr_window_claim (chain.window, 1, mr_window_load (chain.window, 1).generation, 0));
    mr_windows_close (&windows);
    ck_assert_int_eq (mr_windows_open (&windows, chain.data_dir, chain.spools[0], &freed, &err),
                      MR_OK);
    ck_assert_uint_eq (freed, 1);
    ck_assert_int_eq (mr_window_load (chain.window, 1).state, MR_WINDOW_SENT);
    end ();
}
END_TEST

START_TEST (test_another_window_in_its_place_is_found)
{
    uint64_t journal = begin ();
    mr_window_t *other = NULL;
    ck_assert_int_eq (find (OTHER, 0), MR_CLOSED);
    ck_assert_int_eq (mr_window_prepare (path_of ("ingest.0.window"), OTHER, 0, &other, &err),
                      MR_OK);
    ck_assert_int_eq (mr_window_install (other, &err), MR_OK);
    ck_assert_int_eq (find (OTHER, 0), MR_OK);
    ck_assert_int_eq (find (journal, 0), MR_CLOSED);
    mr_window_close (&other);
    end ();
}
END_TEST

START_TEST (test_a_window_of_another_version_is_refused)
{
    unsigned freed = 0;
    begin ();
    mr_windows_close (&windows);
    mr_window_t *window = NULL;
    ck_assert_int_eq (mr_window_prepare (path_of ("ingest.3.window"), OTHER, 0, &window, &err),
                      MR_OK);
    ck_assert_int_eq (mr_window_install (window, &err), MR_OK);
    mr_window_close (&window);
    FILE *file = fopen (path_of ("ingest.3.window"), "r+");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fseek (file, OFFSET_VERSION, SEEK_SET), 0);
    ck_assert_int_eq (putc (0x7f, file), 0x7f);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (mr_windows_open (&windows, chain.data_dir, chain.spools[0], &freed, &err),
                      MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, path_of ("ingest.3.window")));
    end ();
}
END_TEST

START_TEST (test_frames_may_go_up_to_what_the_window_says)
{
    uint64_t journal = begin ();
    ck_assert_uint_eq (mr_windows_watermark (&windows, journal), 0);
    mr_window_note_watermark (chain.window, 2);
    ck_assert_uint_eq (mr_windows_watermark (&windows, journal), 2);
    end ();
}
END_TEST

START_TEST (test_of_a_journal_that_nobody_has_seen_nothing_may_go_before_all_were_looked_at)
{
    begin ();
    ck_assert_uint_eq (mr_windows_watermark (&windows, OTHER), 0);
    mr_windows_refresh (&windows, chain.spools[0]);
    ck_assert_uint_eq (mr_windows_watermark (&windows, OTHER), UINT64_MAX);
    end ();
}
END_TEST

START_TEST (test_without_a_window_the_journal_itself_is_asked)
{
    uint64_t journal = begin ();
    mr_chain_finish (&chain, 1, 0);
    ck_assert_int_eq (mr_journal_settle (chain.journal, 1, &err), MR_OK);
    ck_assert_int_eq (unlink (path_of ("ingest.0.window")), 0);
    mr_windows_refresh (&windows, chain.spools[0]);
    ck_assert_uint_eq (mr_windows_watermark (&windows, journal), 1);
    ck_assert_uint_eq (mr_windows_watermark (&windows, OTHER), UINT64_MAX);
    end ();
}
END_TEST

START_TEST (test_names_that_are_no_journals_are_passed_over)
{
    static const char *const names[] = {"ingest.63.journal", "ingest.-1.journal",
                                        "ingest.1.journal.old", "ingest.x.journal",
                                        "exporter.1.journal"};
    begin ();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_int_eq (mkdir (path_of (names[i]), 0700), 0);
    }
    mr_windows_refresh (&windows, chain.spools[0]);
    ck_assert (windows.complete);
    ck_assert_int_eq (mkdir (path_of ("ingest.1.journal"), 0700), 0); /* one without segments */
    mr_windows_refresh (&windows, chain.spools[0]);
    ck_assert_uint_eq (mr_windows_watermark (&windows, OTHER), UINT64_MAX);
    end ();
}
END_TEST

START_TEST (test_windows_that_were_never_opened_are_closed_at_no_cost)
{
    mr_windows_t none = {0};
    mr_windows_close (&none);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_batch_finds_the_window_of_its_journal_and_slot_alone,
        test_a_claim_of_the_last_life_is_given_back_when_windows_are_opened,
        test_another_window_in_its_place_is_found,
        test_a_window_of_another_version_is_refused,
        test_frames_may_go_up_to_what_the_window_says,
        test_of_a_journal_that_nobody_has_seen_nothing_may_go_before_all_were_looked_at,
        test_without_a_window_the_journal_itself_is_asked,
        test_names_that_are_no_journals_are_passed_over,
        test_windows_that_were_never_opened_are_closed_at_no_cost,
        NULL,
    };
    return mr_suite_run ("windows", tests);
}
