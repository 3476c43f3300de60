#include "launcher/unseen.h"

#include "common/delivery/dirlock.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mr_plan_t plan;
static char text[MR_UNSEEN_BYTES];

static void
make_dirs (void)
{
    snprintf (plan.data_dir, sizeof plan.data_dir, "%s", mr_test_dir ());
    snprintf (plan.run_dir, sizeof plan.run_dir, "%s", mr_test_dir ());
}

static int
take (const char *dir)
{
    int fd = -1;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_dirlock_take (dir, 0, &fd, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return fd;
}

START_TEST (test_who_writes_is_named_with_his_pid_as_long_as_he_does)
{
    char dir[PATH_MAX];
    char who[64];
    make_dirs ();
    ck_assert (!mr_unseen (&plan, text));
    mr_spool_path (plan.data_dir, 2, dir);
    int spool = take (dir);
    mr_journal_path (plan.data_dir, 0, dir);
    int journal = take (dir);
    ck_assert (mr_unseen (&plan, text));
    snprintf (who, sizeof who, "(ingest.0 pid %d, exporter.2 pid %d)", (int)getpid (),
              (int)getpid ());
    ck_assert_msg (strstr (text, who) != NULL, "%s", text);
    ck_assert_ptr_nonnull (strstr (text, plan.run_dir));
    ck_assert_ptr_nonnull (strstr (text, plan.data_dir));
    mr_dirlock_release (journal);
    ck_assert (mr_unseen (&plan, text));
    ck_assert_ptr_null (strstr (text, "ingest.0"));
    mr_dirlock_release (spool);
    ck_assert (!mr_unseen (&plan, text)); /* the files stay, and nobody holds them */
}
END_TEST

START_TEST (test_many_who_write_are_cut_and_not_beyond_the_text)
{
    char dir[PATH_MAX];
    int locks[MR_SLOTS_MAX];
    make_dirs ();
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_journal_path (plan.data_dir, slot, dir);
        locks[slot] = take (dir);
    }
    ck_assert (mr_unseen (&plan, text));
    ck_assert_ptr_nonnull (strstr (text, "ingest.9 "));
    ck_assert_uint_lt (strlen (text), sizeof text - 1);
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_dirlock_release (locks[slot]);
    }
}
END_TEST

START_TEST (test_it_is_not_waited_for_where_somebody_is_to_be_seen_or_nobody_writes)
{
    char dir[PATH_MAX];
    make_dirs ();
    ck_assert (!mr_unseen_still (&plan, 1000000, text));
    mr_journal_path (plan.data_dir, 0, dir);
    int journal = take (dir);
    ck_assert (mr_unseen_still (&plan, 100, text));
    mr_worker_t *worker = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_worker_claim (plan.run_dir, "ingest", 0, &worker, &err), MR_OK);
    ck_assert (!mr_unseen_still (&plan, 1000000, text));
    mr_worker_release (&worker);
    mr_dirlock_release (journal);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_who_writes_is_named_with_his_pid_as_long_as_he_does,
        test_many_who_write_are_cut_and_not_beyond_the_text,
        test_it_is_not_waited_for_where_somebody_is_to_be_seen_or_nobody_writes,
        NULL,
    };
    return mr_suite_run ("unseen", tests);
}
