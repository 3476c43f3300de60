#include "stages/exporter/sink.h"

#include "tests/support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 10000, LINES = 20, PIPE_BYTES = 1 << 16 };

/* Standard output of this process becomes a pipe; what its reader reads is gathered. */
static int reader;
static int saved;
static char came[LINES * LINE_BYTES * 2];
static size_t came_bytes;

static void
take_stdout (void)
{
    int ends[2];
    ck_assert_int_eq (pipe (ends), 0);
    ck_assert_int_ge (fcntl (ends[0], F_SETPIPE_SZ, PIPE_BYTES), 0);
    ck_assert_int_ge (fcntl (ends[0], F_SETFL, O_NONBLOCK), 0);
    saved = dup (STDOUT_FILENO);
    ck_assert_int_ge (dup2 (ends[1], STDOUT_FILENO), 0);
    close (ends[1]);
    reader = ends[0];
    came_bytes = 0;
}

static void
give_stdout_back (void)
{
    ck_assert_int_ge (dup2 (saved, STDOUT_FILENO), 0);
    close (saved);
    close (reader);
}

static void
read_all (void)
{
    ssize_t got;
    while ((got = read (reader, came + came_bytes, sizeof came - came_bytes)) > 0) {
        came_bytes += (size_t)got;
    }
}

static mr_sink_t
make_sink (void)
{
    mr_sink_t sink;
    mr_error_t err;
    const mr_cursor_state_t committed = {.spool = 0};
    ck_assert_int_eq (mr_sink_stdout_new (&sink, &err), MR_OK);
    ck_assert_int_eq (sink.open (sink.self, &committed, true, &err), MR_OK);
    return sink;
}

/* Lines of one letter, more than a pipe holds. */
static char *
make_lines (char letter)
{
    char *lines = malloc ((size_t)LINES * LINE_BYTES);
    ck_assert_ptr_nonnull (lines);
    memset (lines, letter, (size_t)LINES * LINE_BYTES);
    for (int i = 1; i <= LINES; i++) {
        lines[i * LINE_BYTES - 1] = '\n';
    }
    return lines;
}

START_TEST (test_what_a_stopped_reader_holds_up_can_be_dropped_and_each_line_is_whole)
{
    take_stdout ();
    mr_sink_t sink = make_sink ();
    char *lines = make_lines ('a');
    struct iovec iov = {.iov_base = lines, .iov_len = (size_t)LINES * LINE_BYTES};
    mr_error_t err;
    sink.skip (sink.self); /* as another thread does while the sink waits */
    mr_status_t stopped = sink.write (sink.self, &iov, 1, &err);
    read_all ();
    size_t before = came_bytes;
    struct iovec next = {.iov_base = (char[]){"next\n"}, .iov_len = 5};
    mr_status_t later = sink.write (sink.self, &next, 1, &err);
    read_all ();
    give_stdout_back ();
    ck_assert_int_eq (stopped, MR_AGAIN);
    ck_assert_uint_gt (before, 0);
    ck_assert_int_eq (later, MR_OK);
    ck_assert_uint_eq ((came_bytes - 5) % LINE_BYTES, 0);
    ck_assert_mem_eq (came, lines, came_bytes - 5);
    ck_assert_mem_eq (came + came_bytes - 5, "next\n", 5);
    sink.destroy (sink.self);
    free (lines);
}
END_TEST

START_TEST (test_a_reader_that_has_stopped_holds_up_no_worker_that_is_to_stop)
{
    take_stdout ();
    mr_sink_t sink = make_sink ();
    char *lines = make_lines ('b');
    struct iovec iov = {.iov_base = lines, .iov_len = (size_t)LINES * LINE_BYTES};
    mr_error_t err;
    sink.interrupt (sink.self);
    mr_status_t first = sink.write (sink.self, &iov, 1, &err);
    mr_status_t second = sink.write (sink.self, &iov, 1, &err);
    give_stdout_back ();
    ck_assert_int_eq (first, MR_AGAIN);
    ck_assert_int_eq (second, MR_AGAIN);
    ck_assert_str_eq (err.text, "standard output: its reader does not read");
    sink.destroy (sink.self);
    free (lines);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_what_a_stopped_reader_holds_up_can_be_dropped_and_each_line_is_whole,
        test_a_reader_that_has_stopped_holds_up_no_worker_that_is_to_stop,
        NULL,
    };
    return mr_suite_run ("sink_stdout", tests);
}
