/* The equation of each sink, from cursors and spools alone. Of each batch 3 records come through.
 */
#include "common/delivery/tally_sinks.h"

#include "tests/support/chain_kit.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 3, SINKS = 4 };

static mr_error_t err;
static mr_chain_t chain;
static mr_tally_sink_t sinks[SINKS];
static int sink_count;

/* A new chain with so many batches taken in. */
static void
open_chain (uint64_t batches)
{
    chain = (mr_chain_t){
        .journal_segment = 1 << 20, .spool_segment = 4096, .records = 5, .filtered = 5 - ROWS};
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= batches; seq++) {
        mr_chain_take_in (&chain, seq);
    }
}

static void
note_sink (void *arg, const mr_tally_sink_t *sink)
{
    (void)arg;
    ck_assert_int_lt (sink_count, SINKS);
    sinks[sink_count++] = *sink;
}

static mr_status_t
look (void)
{
    sink_count = 0;
    return mr_tally_sinks (chain.data_dir, note_sink, NULL, &err);
}

/* The only sink there is. */
static const mr_tally_sink_t *
look_at_one (void)
{
    ck_assert_msg (look () == MR_OK, "%s", err.text);
    ck_assert_int_eq (sink_count, 1);
    return &sinks[0];
}

START_TEST (test_without_cursors_nothing_is_told)
{
    open_chain (1);
    mr_chain_finish (&chain, 1, 0);
    ck_assert_int_eq (look (), MR_OK);
    ck_assert_int_eq (sink_count, 0);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_rows_behind_the_cursor_are_pending)
{
    open_chain (3);
    mr_chain_finish (&chain, 1, 0);
    uint64_t position = mr_chain_finish (&chain, 2, 0);
    mr_chain_finish (&chain, 3, 0);
    mr_chain_commit (&chain, 0, "out", (mr_cursor_state_t){.spool = 0});
    const mr_tally_sink_t *sink = look_at_one ();
    ck_assert_str_eq (sink->name, "out");
    ck_assert_int_eq (sink->slot, 0);
    ck_assert_uint_eq (sink->pending, 3 * ROWS);
    ck_assert_uint_eq (sink->spooled, 3 * ROWS);
    ck_assert (sink->exact && sink->balanced && !sink->overtaken && !sink->rows_due);
    mr_chain_commit (
        &chain, 0, "out",
        (mr_cursor_state_t){
            .position = position, .delivered = ROWS, .unmatched = 1, .rejected = 1, .dropped = 1});
    sink = look_at_one ();
    ck_assert_uint_eq (sink->pending, ROWS);
    ck_assert (sink->exact && sink->balanced);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_a_row_that_nothing_accounts_for_breaks_the_equation)
{
    open_chain (2);
    uint64_t position = mr_chain_finish (&chain, 1, 0);
    mr_chain_finish (&chain, 2, 0);
    for (int wrong = -1; wrong <= 1; wrong++) {
        mr_cursor_state_t state = {.position = position, .delivered = (uint64_t)(ROWS + wrong)};
        mr_chain_commit (&chain, 0, "out", state);
        const mr_tally_sink_t *sink = look_at_one ();
        ck_assert (sink->exact);
        ck_assert_int_eq (sink->balanced, wrong == 0);
    }
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_a_sink_that_began_later_answers_for_what_came_since)
{
    open_chain (3);
    uint64_t position = mr_chain_finish (&chain, 1, 0);
    mr_chain_finish (&chain, 2, 0);
    mr_chain_finish (&chain, 3, 0);
    mr_chain_commit (&chain, 0, "late", (mr_cursor_state_t){.position = position, .base = ROWS});
    const mr_tally_sink_t *sink = look_at_one ();
    ck_assert_uint_eq (sink->pending, 2 * ROWS);
    ck_assert_uint_eq (sink->spooled, 2 * ROWS);
    ck_assert (sink->exact && sink->balanced);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_sinks_come_by_exporter_and_name_each_with_its_own_input)
{
    open_chain (2);
    mr_chain_finish (&chain, 1, 0);
    mr_chain_finish (&chain, 2, 1);
    mr_chain_commit (&chain, 1, "out", (mr_cursor_state_t){.spool = 0});
    mr_chain_commit (&chain, 0, "out", (mr_cursor_state_t){.spool = 0});
    mr_chain_commit (&chain, 0, MR_CURSOR_DEAD_STORE, (mr_cursor_state_t){.input = MR_CURSOR_DEAD});
    ck_assert_int_eq (look (), MR_OK);
    ck_assert_int_eq (sink_count, 3);
    ck_assert_str_eq (sinks[0].name, MR_CURSOR_DEAD_STORE);
    ck_assert (sinks[0].slot == 0 && sinks[0].pending == 0 && sinks[0].balanced);
    ck_assert_str_eq (sinks[1].name, "out");
    ck_assert (sinks[1].slot == 0 && sinks[1].pending == ROWS && sinks[1].balanced);
    ck_assert (sinks[2].slot == 1 && sinks[2].pending == ROWS && sinks[2].balanced);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_batches_behind_the_last_rows_of_metrics_mean_that_rows_are_due)
{
    open_chain (2);
    mr_spool_metrics_t rows = {.sink = 1, .rows = "{}\n{}\n", .bytes = 6, .count = 2};
    mr_chain_commit (&chain, 0, "sums", (mr_cursor_state_t){.input = MR_CURSOR_METRICS});
    ck_assert (!look_at_one ()->rows_due);
    mr_chain_finish (&chain, 1, 0);
    const mr_tally_sink_t *sink = look_at_one ();
    ck_assert (sink->rows_due && sink->pending == 0);
    ck_assert_int_eq (mr_spool_append_metrics (chain.spools[0], &rows, &err), MR_OK);
    sink = look_at_one ();
    ck_assert (!sink->rows_due && sink->pending == 2);
    mr_chain_finish (&chain, 2, 0);
    ck_assert (look_at_one ()->rows_due);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_a_cursor_that_retention_has_passed_is_overtaken)
{
    enum { BATCHES = 100 };
    unsigned removed = 0;
    open_chain (BATCHES);
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_chain_finish (&chain, seq, 0);
    }
    mr_chain_commit (&chain, 0, "gone", (mr_cursor_state_t){.spool = 0, .position = 1});
    mr_seglog_t *log = mr_spool_log (chain.spools[0]);
    ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), 0, &removed, &err), MR_OK);
    ck_assert_uint_gt (removed, 0);
    ck_assert (look_at_one ()->overtaken);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_a_broken_cursor_is_said)
{
    char path[PATH_MAX];
    open_chain (1);
    mr_chain_commit (&chain, 0, "out", (mr_cursor_state_t){.spool = 0});
    mr_chain_commit (&chain, 1, "out", (mr_cursor_state_t){.spool = 0});
    snprintf (path, sizeof path, "%.200s/exporter.0.cursors/out.cursor", chain.data_dir);
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fputs ("not a cursor", file) < 0, 0);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (look (), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, path));
    ck_assert_int_eq (sink_count, 0);
    mr_chain_close (&chain);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_without_cursors_nothing_is_told,
        test_rows_behind_the_cursor_are_pending,
        test_a_row_that_nothing_accounts_for_breaks_the_equation,
        test_a_sink_that_began_later_answers_for_what_came_since,
        test_sinks_come_by_exporter_and_name_each_with_its_own_input,
        test_batches_behind_the_last_rows_of_metrics_mean_that_rows_are_due,
        test_a_cursor_that_retention_has_passed_is_overtaken,
        test_a_broken_cursor_is_said,
        NULL,
    };
    return mr_suite_run ("tally_sinks", tests);
}
