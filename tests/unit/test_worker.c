#include "common/base/clock.h"
#include "common/runtime/worker.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char run[PATH_MAX];

static const char *
path_of (const char *file)
{
    static char path[PATH_MAX + 64];
    snprintf (path, sizeof path, "%s/%s", run, file);
    return path;
}

static bool
exists (const char *file)
{
    return access (path_of (file), F_OK) == 0;
}

static void
make_run (void)
{
    snprintf (run, sizeof run, "%s", mr_test_dir ());
}

static mr_worker_t *
claim (const char *stage, int slot)
{
    mr_worker_t *worker = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_worker_claim (run, stage, slot, &worker, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return worker;
}

static void
write_file (const char *file, const char *text)
{
    FILE *out = fopen (path_of (file), "w");
    ck_assert_ptr_nonnull (out);
    ck_assert_int_ge (fputs (text, out), 0);
    ck_assert_int_eq (fclose (out), 0);
}

START_TEST (test_a_claimed_slot_says_who_has_it_and_a_released_one_is_gone)
{
    make_run ();
    int64_t before_ns = mr_clock_wall_ns ();
    mr_worker_t *worker = claim ("processor", 1);
    ck_assert_str_eq (mr_worker_name (worker), "processor.1");
    mr_worker_info_t info;
    mr_error_t err;
    ck_assert_int_eq (mr_worker_read (run, "processor.1", &info, &err), MR_OK);
    ck_assert_str_eq (info.name, "processor.1");
    ck_assert_str_eq (info.stage, "processor");
    ck_assert_int_eq (info.slot, 1);
    ck_assert_int_eq (info.pid, getpid ());
    ck_assert (info.alive);
    ck_assert_uint_eq (info.incarnation, mr_worker_incarnation (worker));
    ck_assert_int_eq (info.state, MR_WORKER_STARTING);
    ck_assert_int_le (before_ns / 1000, info.started_ns / 1000);
    ck_assert_int_le (info.started_ns, mr_clock_wall_ns ());

    mr_worker_set_state (worker, MR_WORKER_DRAINING);
    ck_assert_int_eq (mr_worker_read (run, "processor.1", &info, &err), MR_OK);
    ck_assert_int_eq (info.state, MR_WORKER_DRAINING);
    struct stat st;
    ck_assert_int_eq (stat (path_of ("processor.1.lock"), &st), 0);
    ck_assert_int_eq (st.st_size, MR_WORKER_FILE_BYTES);
    ck_assert_uint_eq (st.st_mode & 0777, 0600);

    mr_worker_release (&worker);
    ck_assert_ptr_null (worker);
    ck_assert_int_eq (mr_worker_read (run, "processor.1", &info, &err), MR_CLOSED);
    ck_assert (!exists ("processor.1.lock"));
}
END_TEST

START_TEST (test_a_slot_is_claimed_once_and_its_holder_is_named)
{
    make_run ();
    mr_worker_t *worker = claim ("processor", 0);
    mr_worker_t *second = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_worker_claim (run, "processor", 0, &second, &err), MR_AGAIN);
    ck_assert_ptr_null (second);
    char pid[32];
    snprintf (pid, sizeof pid, "pid %d", (int)getpid ());
    ck_assert_ptr_nonnull (strstr (err.text, "processor.0 is already running"));
    ck_assert_ptr_nonnull (strstr (err.text, pid));
    ck_assert_ptr_nonnull (strstr (err.text, run));
    mr_worker_t *other = claim ("processor", 1); /* another slot is free */
    mr_worker_release (&other);
    mr_worker_release (&worker);
    worker = claim ("processor", 0); /* and this one again, with another incarnation */
    mr_worker_release (&worker);
}
END_TEST

START_TEST (test_looking_never_makes_a_claim_fail)
{
    make_run ();
    pid_t looker = fork ();
    ck_assert_int_ge (looker, 0);
    if (looker == 0) {
        for (;;) {
            mr_worker_info_t info;
            mr_status_t status = mr_worker_read (run, "processor.0", &info, NULL);
            if (status == MR_SYSTEM) {
                _exit (1);
            }
        }
    }
    for (int i = 0; i < 500; i++) {
        mr_worker_t *worker = claim ("processor", 0);
        mr_worker_release (&worker);
    }
    ck_assert_int_eq (kill (looker, SIGKILL), 0);
    int how;
    ck_assert_int_eq (waitpid (looker, &how, 0), looker);
    ck_assert (WIFSIGNALED (how));
}
END_TEST

/* A child that claims processor.0 and dies without releasing it. */
static void
leave_stale (void)
{
    pid_t child = fork ();
    ck_assert_int_ge (child, 0);
    if (child == 0) {
        mr_worker_t *worker = NULL;
        _exit (mr_worker_claim (run, "processor", 0, &worker, NULL) == MR_OK ? 0 : 1);
    }
    int how;
    ck_assert_int_eq (waitpid (child, &how, 0), child);
    ck_assert_int_eq (how, 0);
}

START_TEST (test_the_file_of_a_dead_process_is_seen_as_dead_and_taken_over)
{
    make_run ();
    leave_stale ();
    mr_worker_info_t info;
    mr_error_t err;
    ck_assert_int_eq (mr_worker_read (run, "processor.0", &info, &err), MR_OK);
    ck_assert (!info.alive);
    ck_assert_int_ne (info.pid, getpid ());
    uint64_t before = info.incarnation;
    mr_worker_t *worker = claim ("processor", 0);
    ck_assert_int_eq (mr_worker_read (run, "processor.0", &info, &err), MR_OK);
    ck_assert (info.alive);
    ck_assert_int_eq (info.pid, getpid ());
    ck_assert_uint_ne (info.incarnation, before);
    mr_worker_release (&worker);
}
END_TEST

START_TEST (test_sweeping_removes_what_the_dead_left_and_nothing_of_the_living)
{
    make_run ();
    mr_error_t err;
    leave_stale ();
    write_file ("processor.0.ipc", "");
    write_file ("processor.1.ipc", "");
    mr_worker_t *living = claim ("processor", 1);
    ck_assert_int_eq (mr_worker_sweep (run, "processor.1", &err), MR_AGAIN);
    ck_assert (exists ("processor.1.lock") && exists ("processor.1.ipc"));
    ck_assert_int_eq (mr_worker_sweep (run, "processor.0", &err), MR_OK);
    ck_assert (!exists ("processor.0.lock") && !exists ("processor.0.ipc"));
    ck_assert_int_eq (mr_worker_sweep (run, "processor.0", &err), MR_OK); /* nothing is there */
    leave_stale ();
    write_file ("processor.7.lock", ""); /* killed before it wrote its line */
    write_file ("notes.txt.lock", "");   /* no worker's name */
    ck_assert_int_eq (mr_worker_sweep_dead (run, &err), MR_OK);
    ck_assert (!exists ("processor.0.lock") && !exists ("processor.7.lock"));
    ck_assert (exists ("processor.1.lock") && exists ("notes.txt.lock"));
    mr_worker_release (&living);
}
END_TEST

/* Claim and release as fast as can be; each holder makes a file that must not be there yet. */
static void
compete (void)
{
    for (int i = 0; i < 300; i++) {
        mr_worker_t *worker = NULL;
        mr_status_t status = mr_worker_claim (run, "processor", 0, &worker, NULL);
        if (status == MR_AGAIN) {
            continue;
        }
        int fd = open (path_of ("held"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (status != MR_OK || fd < 0 || close (fd) != 0 || unlink (path_of ("held")) != 0) {
            _exit (1);
        }
        mr_worker_release (&worker);
    }
    _exit (0);
}

START_TEST (test_two_never_hold_a_slot_though_its_file_comes_and_goes)
{
    make_run ();
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork ();
        ck_assert_int_ge (children[i], 0);
        if (children[i] == 0) {
            compete ();
        }
    }
    for (int i = 0; i < 3; i++) {
        int how;
        ck_assert_int_eq (waitpid (children[i], &how, 0), children[i]);
        ck_assert_int_eq (how, 0);
    }
}
END_TEST

static void
count_worker (const mr_worker_info_t *info, void *arg)
{
    int *counts = arg;
    counts[0]++;
    counts[1] += info->alive;
    counts[2] += info->slot;
}

START_TEST (test_each_worker_is_listed_living_or_dead_and_other_files_are_not)
{
    make_run ();
    leave_stale ();
    mr_worker_t *worker = claim ("processor", 2);
    mr_worker_t *monitor = claim ("monitor", -1);
    ck_assert_str_eq (mr_worker_name (monitor), "monitor");
    write_file ("processor.7.lock", "nonsense\n");
    write_file (".lock", "");
    write_file ("a.name.that.is.far.too.long.to.be.that.of.a.worker.of.this.pipeline.1.lock", "");
    write_file ("bus.in", "");
    int counts[3] = {0};
    mr_error_t err;
    ck_assert_int_eq (mr_worker_each (run, count_worker, counts, &err), MR_OK);
    ck_assert_int_eq (counts[0], 3);
    ck_assert_int_eq (counts[1], 2);
    ck_assert_int_eq (counts[2], 0 + 2 - 1);
    ck_assert_int_eq (mr_worker_each ("/no/such/directory", count_worker, counts, &err), MR_SYSTEM);
    mr_worker_release (&worker);
    mr_worker_release (&monitor);
}
END_TEST

START_TEST (test_a_line_that_is_not_a_workers_is_refused)
{
    static const char *const bad[] = {
        "",
        "pid=1",
        "pid=0 incarnation=1 state=running started=2026-11-23T08:41:37.123456Z\n",
        "pid=-4 incarnation=1 state=running started=2026-11-23T08:41:37.123456Z\n",
        "pid=1 incarnation=1 state=asleep started=2026-11-23T08:41:37.123456Z\n",
        "pid=1 incarnation=1 state=running started=yesterday\n",
        "pid=1 incarnation= state=running started=2026-11-23T08:41:37.123456Z\n",
        "pid=1 state=running started=2026-11-23T08:41:37.123456Z\n",
    };
    make_run ();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mr_worker_info_t info;
        mr_error_t err;
        write_file ("processor.0.lock", bad[i]);
        ck_assert_msg (mr_worker_read (run, "processor.0", &info, &err) == MR_INVALID, "%s",
                       bad[i]);
        ck_assert_ptr_nonnull (strstr (err.text, "processor.0.lock"));
    }
    write_file ("processor.0.lock", "pid=1 incarnation=00000000000000ff state=running "
                                    "started=2026-11-23T08:41:37.123456Z\n");
    mr_worker_info_t info;
    ck_assert_int_eq (mr_worker_read (run, "processor.0", &info, NULL), MR_OK);
    ck_assert_uint_eq (info.incarnation, 255);
    ck_assert_int_eq (info.started_ns, INT64_C (1795423297123456000));
    mr_worker_t *worker = claim ("processor", 0); /* what it holds stops nobody */
    mr_worker_release (&worker);
}
END_TEST

START_TEST (test_names_of_workers_are_a_stage_and_a_slot)
{
    static const struct {
        const char *name;
        const char *stage; /* NULL: refused */
        int slot;
    } rows[] = {
        {"processor.1", "processor", 1},
        {"processor.0", "processor", 0},
        {"processor.62", "processor", 62},
        {"my.stage.5", "my.stage", 5},
        {"monitor", "monitor", -1},
        {"processor.63", NULL, 0},
        {"processor.-1", NULL, 0},
        {"processor.+1", NULL, 0},
        {"processor. 1", NULL, 0},
        {"processor.1x", NULL, 0},
        {"processor.", NULL, 0},
        {"processor.01", NULL, 0},
        {"processor.18446744073709551617", NULL, 0},
        {".1", NULL, 0},
        {"", NULL, 0},
        {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl.1", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char stage[MR_WORKER_NAME_BYTES] = "untouched";
        int slot = 99;
        mr_status_t status = mr_worker_parse_name (rows[i].name, stage, &slot);
        ck_assert_msg (status == (rows[i].stage == NULL ? MR_INVALID : MR_OK), "%s", rows[i].name);
        ck_assert_str_eq (stage, rows[i].stage == NULL ? "untouched" : rows[i].stage);
        ck_assert_int_eq (slot, rows[i].stage == NULL ? 99 : rows[i].slot);
    }
}
END_TEST

START_TEST (test_a_directory_that_is_not_there_is_named)
{
    mr_worker_t *worker = NULL;
    mr_error_t err;
    make_run ();
    snprintf (run + strlen (run), sizeof run - strlen (run), "/missing");
    ck_assert_int_ne (mr_worker_claim (run, "processor", 0, &worker, &err), MR_OK);
    ck_assert_ptr_nonnull (strstr (err.text, run));
}
END_TEST

START_TEST (test_a_lock_file_that_went_away_is_made_again_with_all_that_is_in_it)
{
    mr_error_t err = {.text = ""};
    make_run ();
    mr_worker_t *worker = claim ("processor", 0);
    mr_worker_set_state (worker, MR_WORKER_RUNNING);
    mr_worker_page_t *page = mr_worker_page (worker);
    uint64_t incarnation = mr_worker_incarnation (worker);
    char aside[PATH_MAX + 16];
    snprintf (aside, sizeof aside, "%s.aside", run);
    for (uint64_t round = 1; round <= 4; round++) {
        page->crumb = 7 * round;
        page->progress = round;
        ck_assert (!mr_worker_gone (worker));
        ck_assert_int_eq (mr_worker_hold (worker, &err), MR_OK); /* nothing to do */
        if (round == 2) { /* replaced by somebody's empty file, which nobody holds */
            ck_assert_int_eq (unlink (path_of ("processor.0.lock")), 0);
            write_file ("processor.0.lock", "");
        } else if (round == 3) {
            ck_assert_int_eq (rename (run, aside), 0);
        } else {
            ck_assert_int_eq (unlink (path_of ("processor.0.lock")), 0);
            ck_assert (round == 1 || rmdir (run) == 0);
        }
        ck_assert (mr_worker_gone (worker));
        mr_status_t status = mr_worker_hold (worker, &err);
        ck_assert_msg (status == MR_OK, "%s", err.text);
        ck_assert (!mr_worker_gone (worker));
        mr_worker_info_t info;
        ck_assert_int_eq (mr_worker_read (run, "processor.0", &info, &err), MR_OK);
        ck_assert (info.alive);
        ck_assert_int_eq (info.state, MR_WORKER_RUNNING);
        ck_assert_uint_eq (info.incarnation, incarnation);
        ck_assert_uint_eq (info.traces.crumb, 7 * round);
        ck_assert_ptr_eq (mr_worker_page (worker), page);
        page->crumb = 99; /* who has the address writes into the new file */
        ck_assert_int_eq (mr_worker_read (run, "processor.0", &info, &err), MR_OK);
        ck_assert_uint_eq (info.traces.crumb, 99);
    }
    mr_worker_release (&worker);
    ck_assert (!exists ("processor.0.lock"));
}
END_TEST

START_TEST (test_who_took_the_slot_meanwhile_keeps_it)
{
    mr_error_t err = {.text = ""};
    make_run ();
    mr_worker_t *first = claim ("processor", 0);
    ck_assert_int_eq (unlink (path_of ("processor.0.lock")), 0);
    mr_worker_t *second = claim ("processor", 0);
    ck_assert_int_eq (mr_worker_hold (first, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, "processor.0 is already running"));
    mr_worker_release (&first); /* not the other one's file */
    ck_assert (exists ("processor.0.lock"));
    ck_assert_int_eq (mr_worker_hold (second, &err), MR_OK);
    mr_worker_release (&second);
    ck_assert (!exists ("processor.0.lock"));
}
END_TEST

START_TEST (test_what_was_taken_away_with_its_parent_does_not_come_back)
{
    mr_error_t err = {.text = ""};
    make_run ();
    char parent[PATH_MAX];
    snprintf (parent, sizeof parent, "%s", run);
    snprintf (run + strlen (run), sizeof run - strlen (run), "/deep");
    ck_assert_int_eq (mkdir (run, 0700), 0);
    snprintf (run + strlen (run), sizeof run - strlen (run), "/run");
    ck_assert_int_eq (mkdir (run, 0700), 0);
    mr_worker_t *worker = claim ("ingest", 0);
    ck_assert_int_eq (unlink (path_of ("ingest.0.lock")), 0);
    ck_assert_int_eq (rmdir (run), 0);
    char deep[PATH_MAX];
    snprintf (deep, sizeof deep, "%.4000s/deep", parent);
    ck_assert_int_eq (rmdir (deep), 0);
    ck_assert_int_eq (mr_worker_hold (worker, &err), MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, run));
    ck_assert_int_ne (access (deep, F_OK), 0);
    ck_assert_int_eq (mkdir (deep, 0700), 0);
    ck_assert_int_eq (mr_worker_hold (worker, &err), MR_OK);
    mr_worker_release (&worker);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_claimed_slot_says_who_has_it_and_a_released_one_is_gone,
        test_a_slot_is_claimed_once_and_its_holder_is_named,
        test_looking_never_makes_a_claim_fail,
        test_the_file_of_a_dead_process_is_seen_as_dead_and_taken_over,
        test_sweeping_removes_what_the_dead_left_and_nothing_of_the_living,
        test_two_never_hold_a_slot_though_its_file_comes_and_goes,
        test_each_worker_is_listed_living_or_dead_and_other_files_are_not,
        test_a_line_that_is_not_a_workers_is_refused,
        test_names_of_workers_are_a_stage_and_a_slot,
        test_a_directory_that_is_not_there_is_named,
        test_a_lock_file_that_went_away_is_made_again_with_all_that_is_in_it,
        test_who_took_the_slot_meanwhile_keeps_it,
        test_what_was_taken_away_with_its_parent_does_not_come_back,
        NULL,
    };
    return mr_suite_run ("worker", tests);
}
