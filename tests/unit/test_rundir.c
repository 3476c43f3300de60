#include "common/base/clock.h"
#include "common/runtime/rundir.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char run[64];

/* What is reported, as text: "+0 -0 +1 ". */
static void
appeared (void *arg, int slot)
{
    mr_heard (arg, "+%d ", slot);
}

static void
vanished (void *arg, int slot)
{
    mr_heard (arg, "-%d ", slot);
}

static const char *
path_of (const char *file)
{
    static char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", run, file);
    return path;
}

/* A socket file without anybody behind it. */
static void
make_socket (const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf (address.sun_path, sizeof address.sun_path, "%.60s/%.40s", run, file);
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_ge (fd, 0);
    ck_assert_int_eq (bind (fd, (struct sockaddr *)&address, sizeof address), 0);
    close (fd);
}

static mr_rundir_t *
watch (mr_loop_t **ret_loop, mr_heard_t *heard)
{
    mr_rundir_t *rundir = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_loop_new (ret_loop), MR_OK);
    ck_assert_int_eq (mr_rundir_new (run, "processor", *ret_loop, &rundir, &err), MR_OK);
    mr_rundir_on_change (rundir, appeared, vanished, heard);
    return rundir;
}

/* Let it hear what the kernel has told, and compare. */
static void
expect (mr_loop_t *loop, mr_heard_t *heard, const char *text)
{
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq (mr_loop_once (loop, 0), MR_OK);
    }
    ck_assert_str_eq (heard->text, text);
    heard->text[0] = '\0';
}

START_TEST (test_sockets_of_the_stage_are_reported_as_they_come_and_go)
{
    mr_heard_t heard = {{0}};
    mr_loop_t *loop;
    snprintf (run, sizeof run, "%s", mr_test_dir ());
    make_socket ("processor.3.ipc");
    mr_rundir_t *rundir = watch (&loop, &heard);
    expect (loop, &heard, "");
    mr_rundir_scan (rundir);
    expect (loop, &heard, "+3 ");
    make_socket ("processor.0.ipc");
    make_socket ("processor.62.ipc");
    expect (loop, &heard, "+0 +62 ");
    ck_assert_int_eq (unlink (path_of ("processor.3.ipc")), 0);
    expect (loop, &heard, "-3 ");
    mr_rundir_scan (rundir); /* nothing is reported twice */
    expect (loop, &heard, "");
    mr_rundir_destroy (&rundir);
    ck_assert_ptr_null (rundir);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_a_socket_that_was_replaced_vanishes_first)
{
    mr_heard_t heard = {{0}};
    mr_loop_t *loop;
    snprintf (run, sizeof run, "%s", mr_test_dir ());
    make_socket ("processor.0.ipc");
    mr_rundir_t *rundir = watch (&loop, &heard);
    mr_rundir_scan (rundir);
    expect (loop, &heard, "+0 ");
    for (int i = 0; i < 20; i++) { /* inodes are used again at once */
        ck_assert_int_eq (unlink (path_of ("processor.0.ipc")), 0);
        make_socket ("processor.0.ipc");
        expect (loop, &heard, "-0 +0 ");
    }
    mr_rundir_destroy (&rundir);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_a_socket_moved_into_place_and_away_counts)
{
    mr_heard_t heard = {{0}};
    mr_loop_t *loop;
    char from[PATH_MAX];
    snprintf (run, sizeof run, "%s", mr_test_dir ());
    mr_rundir_t *rundir = watch (&loop, &heard);
    make_socket ("new");
    snprintf (from, sizeof from, "%s", path_of ("new"));
    ck_assert_int_eq (rename (from, path_of ("processor.1.ipc")), 0);
    expect (loop, &heard, "+1 ");
    ck_assert_int_eq (rename (path_of ("processor.1.ipc"), from), 0);
    expect (loop, &heard, "-1 ");
    mr_rundir_destroy (&rundir);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_other_files_are_not_workers)
{
    static const char *const others[] = {
        "processor.ipc",      "processor.x.ipc",  "processor.63.ipc", "processor.-1.ipc",
        "processor.0",        "processor.0.lock", "exporter.0.ipc",   ".ipc",
        "my.processor.0.ipc", "bus.in",
    };
    mr_heard_t heard = {{0}};
    mr_loop_t *loop;
    snprintf (run, sizeof run, "%s", mr_test_dir ());
    mr_rundir_t *rundir = watch (&loop, &heard);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        make_socket (others[i]);
    }
    FILE *file = fopen (path_of ("processor.5.ipc"), "w"); /* not a socket */
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fclose (file), 0);
    mr_rundir_scan (rundir);
    expect (loop, &heard, "");
    mr_rundir_destroy (&rundir);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_an_overflow_of_the_kernels_queue_leads_to_a_whole_look)
{
    mr_heard_t heard = {{0}};
    mr_loop_t *loop;
    snprintf (run, sizeof run, "%s", mr_test_dir ());
    mr_rundir_t *rundir = watch (&loop, &heard);
    char noise[PATH_MAX];
    snprintf (noise, sizeof noise, "%s", path_of ("noise"));
    for (int i = 0; i < 20000; i++) { /* the queue holds 16,384 events by default */
        FILE *file = fopen (noise, "w");
        ck_assert_ptr_nonnull (file);
        ck_assert_int_eq (fclose (file), 0);
        ck_assert_int_eq (unlink (noise), 0);
    }
    make_socket ("processor.4.ipc");
    for (int i = 0; i < 20000 && heard.text[0] == '\0'; i++) {
        ck_assert_int_eq (mr_loop_once (loop, 0), MR_OK);
    }
    expect (loop, &heard, "+4 ");
    mr_rundir_destroy (&rundir);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_a_directory_that_cannot_be_watched_is_named)
{
    mr_loop_t *loop;
    mr_rundir_t *rundir = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_loop_new (&loop), MR_OK);
    ck_assert_int_eq (mr_rundir_new ("/no/such/run", "processor", loop, &rundir, &err), MR_SYSTEM);
    ck_assert_ptr_null (rundir);
    ck_assert_ptr_nonnull (strstr (err.text, "/no/such/run"));
    mr_loop_destroy (&loop);
}
END_TEST

/* Let the loop run until it has heard something. */
static void
hear (mr_loop_t *loop, const mr_heard_t *heard)
{
    int64_t end_ns = mr_clock_mono_ns () + 30 * MR_NS_PER_S;
    while (heard->text[0] == '\0') {
        ck_assert_int_lt (mr_clock_mono_ns (), end_ns);
        ck_assert_int_eq (mr_loop_once (loop, 50), MR_OK);
    }
}

START_TEST (test_a_directory_that_is_moved_away_or_made_again_is_watched_where_its_path_leads)
{
    mr_heard_t heard = {{0}};
    mr_loop_t *loop;
    char aside[80];
    snprintf (run, sizeof run, "%s", mr_test_dir ());
    snprintf (aside, sizeof aside, "%s.aside", run);
    make_socket ("processor.0.ipc");
    mr_rundir_t *rundir = watch (&loop, &heard);
    mr_rundir_scan (rundir);
    expect (loop, &heard, "+0 ");
    ck_assert_int_eq (rename (run, aside), 0);
    hear (loop, &heard);
    expect (loop, &heard, "-0 ");
    ck_assert_int_eq (mkdir (run, 0700), 0);
    make_socket ("processor.0.ipc");
    hear (loop, &heard);
    expect (loop, &heard, "+0 ");
    for (int i = 0; i < 2; i++) { /* a directory's inode may be used again at once */
        ck_assert_int_eq (unlink (path_of ("processor.0.ipc")), 0);
        ck_assert_int_eq (rmdir (run), 0);
        ck_assert_int_eq (mkdir (run, 0700), 0);
        expect (loop, &heard, "-0 ");
        make_socket ("processor.0.ipc");
        hear (loop, &heard);
        expect (loop, &heard, "+0 ");
    }
    mr_rundir_destroy (&rundir);
    mr_loop_destroy (&loop);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_sockets_of_the_stage_are_reported_as_they_come_and_go,
        test_a_socket_that_was_replaced_vanishes_first,
        test_a_socket_moved_into_place_and_away_counts,
        test_other_files_are_not_workers,
        test_an_overflow_of_the_kernels_queue_leads_to_a_whole_look,
        test_a_directory_that_cannot_be_watched_is_named,
        test_a_directory_that_is_moved_away_or_made_again_is_watched_where_its_path_leads,
        NULL,
    };
    return mr_suite_run ("rundir", tests);
}
