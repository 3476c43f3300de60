/* The skeleton: a stage of the test's own as a process, between a producer of batches and a next
 * worker that are sockets of the test. */
#include "common/runtime/stage.h"

#include "common/wire/batch.h"
#include "common/wire/control.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { DEADLINE_MS = 60000 };

static char dir[PATH_MAX - 64];
static char config_path[PATH_MAX];

/* ---- the stage: passes batches on; one with seq 7 it wants again later, 8 it refuses ---- */

static int tries;

static mr_status_t
check (mr_config_t *config, bool dry, mr_error_t *err)
{
    (void)dry;
    (void)err;
    const mr_config_section_t *section = mr_config_section (config, "echo");
    for (const mr_config_entry_t *entry = mr_config_next (section, NULL, NULL); entry != NULL;
         entry = mr_config_next (section, NULL, entry)) {
        if (strcmp (entry->key, "word") == 0 && strcmp (entry->value.text, "bad") == 0) {
            mr_config_reject_entry (config, entry, "this word is bad");
        }
    }
    return MR_OK;
}

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    (void)err;
    *ret_self = stage;
    return MR_OK;
}

static void
handle (void *self, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks)
{
    (void)self;
    if (batch->seq == 8) {
        callbacks->on_refused (callbacks->stage, batch);
    } else if (batch->seq == 7 && tries++ < 2) {
        callbacks->on_later (callbacks->stage, batch);
    } else {
        callbacks->on_handled (callbacks->stage, batch);
    }
}

static void
destroy (void **self_p)
{
    *self_p = NULL;
}

static const mr_option_t options[] = {
    {.key = "word", .type = MR_OPTION_STRING, .flags = MR_OPTION_REPEATS, .help = "Any"},
    {.key = NULL},
};
static const mr_section_schema_t schema = {"echo", false, options, "Passes on"};
static const mr_stage_ops_t echo = {
    .name = "echo",
    .help = "Passes batches on.",
    .schema = &schema,
    .check = check,
    .create = create,
    .handle = handle,
    .destroy = destroy,
};

/* ---- processes ---- */

static void
write_config (const char *rest)
{
    snprintf (dir, sizeof dir, "%.200s", mr_test_dir ());
    snprintf (config_path, sizeof config_path, "%s/x.ini", dir);
    FILE *file = fopen (config_path, "w");
    ck_assert_ptr_nonnull (file);
    fprintf (file, "[pipeline]\nchain = ingest, echo, exporter\n%s", rest);
    ck_assert_int_eq (fclose (file), 0);
    char run[PATH_MAX];
    snprintf (run, sizeof run, "%s/run", dir);
    ck_assert_int_eq (mkdir (run, 0700), 0);
}

/* Run the stage, which is this program with other words: libzmq's threads do not come along with a
 * fork. What it prints goes to DIR/said. */
static pid_t
start (const char *option, int ready_fd)
{
    char fd[16];
    char path[PATH_MAX];
    snprintf (fd, sizeof fd, "%d", ready_fd);
    snprintf (path, sizeof path, "%s/said", dir);
    const char *argv[] = {"millrace-echo", "-c", config_path, option, "--ready-fd", fd, NULL};
    if (ready_fd < 0) {
        argv[4] = NULL;
    }
    int out = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge (out, 0);
    pid_t pid = fork ();
    ck_assert_int_ge (pid, 0);
    if (pid == 0) {
        dup2 (out, STDERR_FILENO);
        execv ("/proc/self/exe", (char **)(uintptr_t)argv);
        _exit (127);
    }
    close (out);
    return pid;
}

static int
end_of (pid_t pid)
{
    int status = 0;
    ck_assert_int_eq (waitpid (pid, &status, 0), pid);
    ck_assert_msg (WIFEXITED (status), "signal %d", WTERMSIG (status));
    return WEXITSTATUS (status);
}

static pid_t
start_ready (void)
{
    int ends[2];
    char word = 0;
    ck_assert_int_eq (pipe (ends), 0);
    pid_t pid = start ("--quiet", ends[1]);
    close (ends[1]);
    ck_assert_int_eq (read (ends[0], &word, 1), 1);
    ck_assert_int_eq (word, '\n');
    close (ends[0]);
    return pid;
}

static bool
said (const char *text)
{
    char path[PATH_MAX];
    static char all[8192];
    snprintf (path, sizeof path, "%s/said", dir);
    FILE *file = fopen (path, "r");
    size_t bytes = file != NULL ? fread (all, 1, sizeof all - 1, file) : 0;
    all[bytes] = '\0';
    if (file != NULL) {
        fclose (file);
    }
    return strstr (all, text) != NULL;
}

/* ---- its neighbours ---- */

typedef struct wire {
    void *zmq;
    void *ingest;   /* PULL: notices to the source */
    void *exporter; /* PULL: the next worker */
    void *up;       /* PUSH: into the stage */
} wire_t;

static void *
bind_worker (void *zmq, const char *worker)
{
    char path[PATH_MAX];
    int timeout = DEADLINE_MS;
    void *socket = zmq_socket (zmq, ZMQ_PULL);
    zmq_setsockopt (socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    snprintf (path, sizeof path, "ipc://%s/run/%s.ipc", dir, worker);
    ck_assert_int_eq (zmq_bind (socket, path), 0);
    return socket;
}

static wire_t
open_wire (void)
{
    wire_t wire = {.zmq = zmq_ctx_new ()};
    wire.ingest = bind_worker (wire.zmq, "ingest.0");
    wire.exporter = bind_worker (wire.zmq, "exporter.0");
    return wire;
}

static void
connect_up (wire_t *wire)
{
    char path[PATH_MAX];
    wire->up = zmq_socket (wire->zmq, ZMQ_PUSH);
    int once_connected = 1; /* what is sent has a way to go, and does not wait on ours for one */
    zmq_setsockopt (wire->up, ZMQ_IMMEDIATE, &once_connected, sizeof once_connected);
    snprintf (path, sizeof path, "ipc://%s/run/echo.0.ipc", dir);
    ck_assert_int_eq (zmq_connect (wire->up, path), 0);
}

static void
leave_up (wire_t *wire)
{
    static uint8_t bye[MR_BYE_BYTES];
    mr_bye_encode (bye);
    ck_assert_int_eq (zmq_send (wire->up, bye, sizeof bye, 0), (int)sizeof bye);
    zmq_close (wire->up);
    wire->up = NULL;
}

static void
close_wire (wire_t *wire)
{
    int linger = 0;
    void *sockets[] = {wire->ingest, wire->exporter, wire->up};
    for (size_t i = 0; i < 3; i++) {
        if (sockets[i] != NULL) {
            zmq_setsockopt (sockets[i], ZMQ_LINGER, &linger, sizeof linger);
            zmq_close (sockets[i]);
        }
    }
    zmq_ctx_term (wire->zmq);
}

static void
send_batch (const wire_t *wire, uint64_t seq)
{
    static const char text[] = "{\"n\":1}\n{\"n\":2}\n";
    static const uint32_t offsets[] = {0, 8, 16};
    mr_batch_t batch = {.journal = 5,
                        .seq = seq,
                        .attempt = 1,
                        .received = 2,
                        .count = 2,
                        .created_ns = 1,
                        .records = text,
                        .records_bytes = 16,
                        .offsets = offsets};
    size_t bytes = mr_batch_encoded_bytes (&batch);
    void *frame = aligned_alloc (64, (bytes + 63) / 64 * 64);
    ck_assert_ptr_nonnull (frame);
    mr_batch_encode (&batch, frame);
    ck_assert_int_eq (zmq_send (wire->up, frame, bytes, 0), (int)bytes);
    free (frame);
}

/* The seq of the next batch that comes out. */
static uint64_t
receive_seq (const wire_t *wire)
{
    zmq_msg_t msg;
    mr_batch_t batch;
    mr_error_t err = {.text = ""};
    zmq_msg_init (&msg);
    ck_assert_int_gt (zmq_msg_recv (&msg, wire->exporter, 0), 0);
    size_t bytes = zmq_msg_size (&msg);
    void *frame = aligned_alloc (64, (bytes + 63) / 64 * 64);
    memcpy (frame, zmq_msg_data (&msg), bytes);
    ck_assert_msg (mr_batch_decode (frame, bytes, &batch, &err) == MR_OK, "%s", err.text);
    ck_assert_uint_eq (batch.count, 2);
    free (frame);
    zmq_msg_close (&msg);
    return batch.seq;
}

static void
expect_loss (const wire_t *wire)
{
    uint8_t bytes[256];
    mr_control_t control;
    mr_error_t err;
    int received = zmq_recv (wire->ingest, bytes, sizeof bytes, 0);
    ck_assert_int_gt (received, 0);
    ck_assert_int_eq (mr_control_decode (bytes, (size_t)received, &control, &err), MR_OK);
    ck_assert_int_eq (control.type, MR_CONTROL_LOSS);
}

/* ---- tests ---- */

START_TEST (test_batches_go_through_in_order_and_a_refused_one_goes_nowhere)
{
    write_config ("");
    wire_t wire = open_wire ();
    pid_t pid = start_ready ();
    connect_up (&wire);
    for (uint64_t seq = 1; seq <= 9; seq++) {
        send_batch (&wire, seq); /* 7 comes out after its third try, 8 never */
    }
    for (uint64_t seq = 1; seq <= 9; seq += seq == 7 ? 2 : 1) {
        ck_assert_uint_eq (receive_seq (&wire), seq);
    }
    ck_assert_int_eq (kill (pid, SIGKILL), 0);
    ck_assert_int_eq (waitpid (pid, NULL, 0), pid);
    close_wire (&wire);
}
END_TEST

START_TEST (test_sigterm_takes_what_was_sent_and_then_ends_well)
{
    write_config ("");
    wire_t wire = open_wire ();
    pid_t pid = start_ready ();
    connect_up (&wire);
    for (uint64_t seq = 1; seq <= 5; seq++) {
        send_batch (&wire, seq);
    }
    ck_assert_uint_eq (receive_seq (&wire), 1);
    ck_assert_int_eq (kill (pid, SIGTERM), 0);
    leave_up (&wire); /* as an upstream does that sees the socket's file gone */
    for (uint64_t seq = 2; seq <= 5; seq++) {
        ck_assert_uint_eq (receive_seq (&wire), seq);
    }
    ck_assert_int_eq (end_of (pid), MR_EXIT_OK);
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/run/echo.0.ipc", dir);
    ck_assert_int_ne (access (path, F_OK), 0);
    close_wire (&wire);
}
END_TEST

START_TEST (test_a_frame_that_is_none_is_dropped_and_the_source_is_told)
{
    write_config ("");
    wire_t wire = open_wire ();
    pid_t pid = start_ready ();
    connect_up (&wire);
    ck_assert_int_eq (zmq_send (wire.up, "no batch", 8, 0), 8);
    expect_loss (&wire);
    send_batch (&wire, 1);
    ck_assert_uint_eq (receive_seq (&wire), 1);
    ck_assert_int_eq (kill (pid, SIGKILL), 0);
    ck_assert_int_eq (waitpid (pid, NULL, 0), pid);
    close_wire (&wire);
}
END_TEST

/* Its upstream has said farewell and will not send it again by itself. */
START_TEST (test_who_leaves_with_a_batch_that_nobody_takes_tells_the_source)
{
    char path[PATH_MAX];
    write_config ("");
    wire_t wire = open_wire ();
    zmq_close (wire.exporter);
    wire.exporter = NULL;
    snprintf (path, sizeof path, "%s/run/exporter.0.ipc", dir);
    (void)unlink (path);
    pid_t pid = start_ready ();
    connect_up (&wire);
    send_batch (&wire, 1);
    send_batch (&wire, 2);
    ck_assert_int_eq (kill (pid, SIGTERM), 0);
    leave_up (&wire);
    expect_loss (&wire);
    ck_assert_int_eq (end_of (pid), MR_EXIT_OK);
    close_wire (&wire);
}
END_TEST

START_TEST (test_a_slot_has_one_worker)
{
    write_config ("");
    pid_t pid = start_ready ();
    ck_assert_int_eq (end_of (start ("--quiet", -1)), MR_EXIT_TEMPORARY);
    ck_assert_int_eq (kill (pid, SIGKILL), 0);
    ck_assert_int_eq (waitpid (pid, NULL, 0), pid);
}
END_TEST

START_TEST (test_all_faults_are_told_when_asked_and_the_first_one_at_a_start)
{
    write_config ("[echo]\nword = bad\nword = good\nword = bad\nother = 1\n");
    ck_assert_int_eq (end_of (start ("--check", -1)), MR_EXIT_CONFIG);
    ck_assert (said ("x.ini:4: [echo] word: this word is bad\n"));
    ck_assert (said ("x.ini:6: [echo] word: this word is bad\n"));
    ck_assert (said ("x.ini:7: [echo] other: unknown key"));
    ck_assert_int_eq (end_of (start ("--quiet", -1)), MR_EXIT_CONFIG);
    ck_assert (said ("x.ini:4: [echo] word: this word is bad (and 2 more: millrace check shows"));
}
END_TEST

START_TEST (test_a_stage_has_its_place_in_the_chain)
{
    write_config ("");
    FILE *file = fopen (config_path, "w");
    ck_assert_ptr_nonnull (file);
    fputs ("[pipeline]\nchain = echo, exporter\n", file);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (end_of (start ("--quiet", -1)), MR_EXIT_CONFIG);
    ck_assert (said ("[pipeline] chain: echo cannot be the first stage"));
    file = fopen (config_path, "w");
    ck_assert_ptr_nonnull (file);
    fputs ("[pipeline]\nchain = ingest, exporter\n", file);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (end_of (start ("--quiet", -1)), MR_EXIT_CONFIG);
    ck_assert (said ("has no stage echo; add it where it belongs"));
}
END_TEST

int
main (int argc, char **argv)
{
    if (strcmp (argv[0], "millrace-echo") == 0) {
        return mr_stage_main (argc, argv, &echo);
    }
    const TTest *const tests[] = {
        test_batches_go_through_in_order_and_a_refused_one_goes_nowhere,
        test_sigterm_takes_what_was_sent_and_then_ends_well,
        test_a_frame_that_is_none_is_dropped_and_the_source_is_told,
        test_who_leaves_with_a_batch_that_nobody_takes_tells_the_source,
        test_a_slot_has_one_worker,
        test_all_faults_are_told_when_asked_and_the_first_one_at_a_start,
        test_a_stage_has_its_place_in_the_chain,
        NULL,
    };
    return mr_suite_run ("stage", tests);
}
