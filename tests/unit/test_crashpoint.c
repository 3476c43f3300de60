/* Named crash points, and each of the segment log's: die there, open again, lose nothing. */
#include "common/base/crashpoint.h"

#include "common/base/seglog.h"
#include "tests/support/seglog_kit.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef MR_CRASH_POINTS
enum { POINTS_ARE_IN = 1 };
#else
enum { POINTS_ARE_IN = 0 };
#endif

/* Passes a point three times and exits with 0. */
static void
pass_thrice (void)
{
    for (int i = 0; i < 3; i++) {
        MR_CRASH_POINT ("crashpoint.test.pass");
    }
}

/* The wait status of a child that runs this. */
static int
run (void (*body) (const void *), const void *arg)
{
    pid_t child = fork ();
    if (child == 0) {
        body (arg);
        _exit (0);
    }
    int status = 0;
    ck_assert_int_eq (waitpid (child, &status, 0), child);
    return status;
}

static bool
was_killed (int status)
{
    return WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL;
}

static void
arm_and_pass (const void *arg)
{
    mr_crash_arm (arg);
    pass_thrice ();
}

START_TEST (test_a_process_dies_at_the_named_point_the_nth_time)
{
    ck_assert_int_eq (was_killed (run (arm_and_pass, "crashpoint.test.pass")), POINTS_ARE_IN);
    ck_assert_int_eq (was_killed (run (arm_and_pass, "crashpoint.test.pass:3")), POINTS_ARE_IN);
    ck_assert_int_eq (run (arm_and_pass, "crashpoint.test.pass:4"), 0);
    ck_assert_int_eq (run (arm_and_pass, "crashpoint.test.other"), 0);
    ck_assert_int_eq (run (arm_and_pass, NULL), 0);
}
END_TEST

static void
pass_with_environment (const void *arg)
{
    (void)arg;
    pass_thrice ();
}

static void
write_text (const char *path, const char *text)
{
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    fputs (text, file);
    fclose (file);
}

START_TEST (test_the_environment_arms_and_a_file_arms_one_life)
{
    setenv ("MILLRACE_CRASH", "crashpoint.test.pass:2", 1);
    ck_assert_int_eq (was_killed (run (pass_with_environment, NULL)), POINTS_ARE_IN);
    unsetenv ("MILLRACE_CRASH");
    char path[256];
    snprintf (path, sizeof path, "%s/arm", mr_test_dir ());
    setenv ("MILLRACE_CRASH_FILE", path, 1);
    ck_assert_int_eq (run (pass_with_environment, NULL), 0);
    write_text (path, "crashpoint.test.pass 1\n"); /* the process 1, not this one */
    ck_assert_int_eq (run (pass_with_environment, NULL), 0);
    ck_assert_int_eq (access (path, F_OK), 0);
    write_text (path, "crashpoint.test.pass:2\n");
    ck_assert_int_eq (was_killed (run (pass_with_environment, NULL)), POINTS_ARE_IN);
    ck_assert_int_eq (access (path, F_OK), POINTS_ARE_IN ? -1 : 0);
    ck_assert_int_eq (run (pass_with_environment, NULL), 0);
}
END_TEST

START_TEST (test_the_registry_lists_every_point_once_in_order)
{
    const char *names[256];
    size_t count = mr_crash_names (names, 256);
    ck_assert (POINTS_ARE_IN ? count > 10 : count == 0);
    for (size_t i = 1; i < count; i++) {
        ck_assert_int_lt (strcmp (names[i - 1], names[i]), 0);
    }
    const char *few[2] = {NULL, NULL};
    ck_assert_uint_eq (mr_crash_names (few, 1), count);
    ck_assert_ptr_null (few[1]);
}
END_TEST

/* A life of a log: what is acknowledged goes to a ledger, one line a frame. */
typedef struct {
    const char *dir;
    const char *ledger;
    const char *arm; /* NULL: live on */
} life_t;

/* Everything that a writer does between appends. */
static void
tend (mr_seglog_t *log, mr_seglog_frame_t *last)
{
    ck_assert_int_eq (mr_seglog_reserve (log, 900, NULL), MR_OK);
    ck_assert_int_eq (mr_seglog_sync (log, NULL), MR_OK);
    ck_assert_int_eq (mr_seglog_trim (log, last->position, 0, NULL, NULL), MR_OK);
    mr_seglog_last (log, last, 1);
}

/* As a power loss may: the name of a new segment without its bytes. */
static void
leave_empty_segment (const char *dir, uint64_t position)
{
    char name[MR_SEGLOG_NAME_BYTES];
    char path[512];
    mr_seglog_name (name, position, ".seg");
    snprintf (path, sizeof path, "%s/%s", dir, name);
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge (fd, 0);
    close (fd);
}

/* No file may be longer for a while: an append that fails is taken back. Returns whether it came to
 * be all the same. */
static bool
append_to_a_full_disk (mr_seglog_t *log, uint64_t number)
{
    struct rlimit limit = {.rlim_cur = 2000, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
    uint64_t position = 0;
    mr_status_t status = mr_kit_try (log, number, 900, &position);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
    return status == MR_OK;
}

static void
live (const void *arg)
{
    const life_t *life = arg;
    signal (SIGXFSZ, SIG_IGN);
    mr_crash_arm (life->arm);
    int ledger = open (life->ledger, O_WRONLY | O_CREAT | O_APPEND, 0600);
    mr_seglog_options_t options = mr_kit_options (life->dir, NULL);
    options.segment_bytes = 8192;
    for (int round = 0; round < 2; round++) {
        mr_seglog_t *log = mr_kit_open (&options);
        mr_seglog_frame_t last = {0};
        uint64_t number = mr_seglog_last (log, &last, 1) == 1 ? last.words[0] : 0;
        for (int i = 0; i < 40; i++) {
            if (i % 10 != 5 || !append_to_a_full_disk (log, number + 1)) {
                mr_kit_append (log, number + 1, 900);
            }
            number++;
            ck_assert_int_eq (write (ledger, "+", 1), 1);
            if (i % 10 == 9) {
                tend (log, &last);
            }
        }
        uint64_t end = mr_seglog_end (log);
        mr_seglog_close (&log);
        leave_empty_segment (life->dir, end);
    }
    close (ledger);
}

static void
die_and_compare (const char *name, int nth)
{
    static mr_kit_reading_t reading;
    char dir[256];
    char ledger[300];
    char arm[300];
    snprintf (dir, sizeof dir, "%s", mr_test_dir ());
    snprintf (ledger, sizeof ledger, "%s/ledger", dir);
    snprintf (arm, sizeof arm, "%s:%d", name, nth);
    life_t life = {.dir = dir, .ledger = ledger, .arm = arm};
    int status = run (live, &life);
    ck_assert_msg (was_killed (status) || nth > 1, "%s was never passed", arm);
    life.arm = NULL;
    ck_assert_int_eq (run (live, &life), 0);

    mr_kit_read_all (dir, NULL, 0, &reading);
    ck_assert_uint_eq (reading.bad + reading.damages, 0);
    FILE *file = fopen (ledger, "r");
    uint64_t acknowledged = 0;
    while (fgetc (file) != EOF) {
        acknowledged++;
    }
    fclose (file);
    for (unsigned i = 1; i < reading.count; i++) {
        ck_assert_uint_eq (reading.numbers[i], reading.numbers[i - 1] + 1);
    }
    /* The frame under way when it died may be there without having been acknowledged. */
    uint64_t top = reading.numbers[reading.count - 1];
    ck_assert_uint_ge (top, acknowledged);
    ck_assert_uint_le (top, acknowledged + 1);
}

START_TEST (test_dying_at_any_point_of_the_segment_log_loses_nothing_and_doubles_nothing)
{
    const char *names[256];
    size_t count = mr_crash_names (names, 256);
    for (size_t i = 0; i < count && i < 256; i++) {
        if (strncmp (names[i], "seglog.", 7) == 0) {
            die_and_compare (names[i], 1);
            die_and_compare (names[i], 2);
        }
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_process_dies_at_the_named_point_the_nth_time,
        test_the_environment_arms_and_a_file_arms_one_life,
        test_the_registry_lists_every_point_once_in_order,
        test_dying_at_any_point_of_the_segment_log_loses_nothing_and_doubles_nothing,
        NULL,
    };
    return mr_suite_run ("crashpoint", tests);
}
