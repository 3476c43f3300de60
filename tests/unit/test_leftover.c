/* What a worker that goes for good would leave behind, read from its files alone. */
#include "launcher/leftover.h"

#include "tests/support/chain_kit.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT = 1, NOBODY = 7 };

static mr_chain_t chain;
static mr_plan_t plan;
static char text[MR_LEFTOVER_BYTES];

/* Of each batch 3 of 5 records come through; the journal is of slot 0. */
static void
open_chain (uint64_t batches)
{
    chain = (mr_chain_t){
        .journal_segment = 1 << 20, .spool_segment = 64 << 10, .records = 5, .filtered = 2};
    mr_chain_open (&chain);
    snprintf (plan.data_dir, sizeof plan.data_dir, "%s", chain.data_dir);
    for (uint64_t seq = 1; seq <= batches; seq++) {
        mr_chain_take_in (&chain, seq);
    }
}

START_TEST (test_only_the_first_and_the_last_stage_keep_files)
{
    open_chain (1);
    ck_assert (mr_leftover_may ("ingest") && mr_leftover_may ("exporter"));
    static const char *const others[] = {"processor", "metrics", "enrich", "monitor", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_msg (!mr_leftover_may (others[i]), "%s", others[i]);
        ck_assert_msg (!mr_leftover (&plan, others[i], 0, text), "%s", others[i]);
        ck_assert_str_eq (text, "");
    }
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_who_has_no_files_leaves_nothing)
{
    open_chain (1);
    ck_assert (!mr_leftover (&plan, "ingest", NOBODY, text));
    ck_assert (!mr_leftover (&plan, "exporter", NOBODY, text));
    ck_assert_str_eq (text, "");
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_a_journal_is_left_until_all_of_it_is_through)
{
    open_chain (3);
    ck_assert (mr_leftover (&plan, "ingest", 0, text));
    ck_assert_str_eq (text, "15 records of its journal are on their way");
    mr_chain_finish (&chain, 1, 0);
    mr_chain_finish (&chain, 3, 1); /* behind a gap */
    ck_assert (mr_leftover (&plan, "ingest", 0, text));
    ck_assert_str_eq (text, "10 records of its journal are on their way");
    mr_chain_finish (&chain, 2, 0);
    ck_assert (!mr_leftover (&plan, "ingest", 0, text));
    mr_chain_close (&chain);
    ck_assert (!mr_leftover (&plan, "ingest", 0, text)); /* nor when nothing runs */
}
END_TEST

START_TEST (test_a_spool_is_left_until_each_of_its_sinks_has_everything)
{
    open_chain (3);
    mr_chain_finish (&chain, 1, SLOT);
    uint64_t position = mr_chain_finish (&chain, 2, SLOT);
    mr_chain_finish (&chain, 3, 0); /* another exporter's */
    mr_chain_commit (&chain, 0, "a", (mr_cursor_state_t){.spool = 0});
    mr_chain_commit (&chain, SLOT, "a", (mr_cursor_state_t){.position = position, .delivered = 6});
    ck_assert (!mr_leftover (&plan, "exporter", SLOT, text));
    mr_chain_commit (&chain, SLOT, "b", (mr_cursor_state_t){.spool = 0});
    ck_assert (mr_leftover (&plan, "exporter", SLOT, text));
    ck_assert_str_eq (text, "6 rows are not in sink b");
    mr_chain_commit (&chain, SLOT, "m", (mr_cursor_state_t){.input = MR_CURSOR_METRICS});
    ck_assert (mr_leftover (&plan, "exporter", SLOT, text));
    ck_assert_str_eq (text, "6 rows are not in sink b, "
                            "the last rows of its metrics are not in sink m");
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_what_cannot_be_read_may_hold_something)
{
    char command[PATH_MAX + 64];
    open_chain (1);
    mr_chain_finish (&chain, 1, 0);
    mr_chain_commit (&chain, 0, "a", (mr_cursor_state_t){.spool = 0});
    mr_chain_close (&chain);
    snprintf (command, sizeof command, "cd %s && echo broken >exporter.0.cursors/a.cursor",
              chain.data_dir);
    ck_assert_int_eq (system (command), 0);
    ck_assert (mr_leftover (&plan, "exporter", 0, text));
    ck_assert_str_eq (text, "rows may not be in its sinks");
    ck_assert (!mr_leftover (&plan, "exporter", SLOT, text)); /* which is another one's matter */
}
END_TEST

START_TEST (test_more_sinks_than_the_text_holds_are_cut)
{
    open_chain (1);
    mr_chain_finish (&chain, 1, 0);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf (name, sizeof name, "sink-number-%d", i);
        mr_chain_commit (&chain, 0, name, (mr_cursor_state_t){.spool = 0});
    }
    ck_assert (mr_leftover (&plan, "exporter", 0, text));
    ck_assert_uint_eq (strlen (text), MR_LEFTOVER_BYTES - 1);
    mr_chain_close (&chain);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_only_the_first_and_the_last_stage_keep_files,
        test_who_has_no_files_leaves_nothing,
        test_a_journal_is_left_until_all_of_it_is_through,
        test_a_spool_is_left_until_each_of_its_sinks_has_everything,
        test_what_cannot_be_read_may_hold_something,
        test_more_sinks_than_the_text_holds_are_cut,
        NULL,
    };
    return mr_suite_run ("leftover", tests);
}
