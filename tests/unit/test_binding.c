#include "stages/ingest/binding.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

/* A configuration with one endpoint, and the socket that is to be bound to it. */
typedef struct desk {
    char folder[64];
    mr_config_t *config;
    void *zmq;
    void *socket;
    mr_binding_t binding;
    mr_bound_t bound;
    mr_error_t err;
} desk_t;

static void
open_desk (desk_t *desk, const char *key, const char *value)
{
    char text[512];
    char path[128];
    *desk = (desk_t){.zmq = zmq_ctx_new ()};
    snprintf (desk->folder, sizeof desk->folder, "%.60s", mr_test_dir ());
    snprintf (path, sizeof path, "%s/x.ini", desk->folder);
    int bytes = snprintf (text, sizeof text, "[ingest]\n%s = %s\n", key, value);
    mr_status_t status = mr_config_load_text (text, (size_t)bytes, path, &desk->config, &desk->err);
    ck_assert_msg (status == MR_OK, "%s", desk->err.text);
    desk->socket = zmq_socket (desk->zmq, ZMQ_PULL);
    desk->binding = (mr_binding_t){
        .config = desk->config,
        .entry = mr_config_next (mr_config_section (desk->config, "ingest"), key, NULL),
        .slot = 3,
        .mode = 0620};
}

static void
close_desk (desk_t *desk)
{
    zmq_close (desk->socket);
    zmq_ctx_term (desk->zmq);
    mr_config_destroy (&desk->config);
}

static const char *
path_of (const desk_t *desk, const char *file)
{
    static char path[256];
    snprintf (path, sizeof path, "%s/%s", desk->folder, file);
    return path;
}

static void
assert_refused (desk_t *desk, mr_status_t status, const char *why)
{
    ck_assert_int_eq (mr_binding_bind (&desk->binding, desk->socket, &desk->bound, &desk->err),
                      status);
    ck_assert_msg (strstr (desk->err.text, "x.ini:2: [ingest]") != NULL &&
                       strstr (desk->err.text, why) != NULL,
                   "%s", desk->err.text);
}

START_TEST (test_an_ipc_path_gets_its_slot_directory_and_mode)
{
    desk_t desk;
    struct stat st;
    open_desk (&desk, "pull", "ipc://deep/down/in{slot}");
    mode_t before = umask (077);
    ck_assert_int_eq (mr_binding_bind (&desk.binding, desk.socket, &desk.bound, &desk.err), MR_OK);
    ck_assert_uint_eq (umask (before), 077); /* as it was */
    ck_assert_int_eq (stat (path_of (&desk, "deep/down/in3"), &st), 0);
    ck_assert (S_ISSOCK (st.st_mode));
    ck_assert_uint_eq (st.st_mode & 0777, 0620);
    ck_assert_int_eq (stat (path_of (&desk, "deep"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 0777, 0700);
    close_desk (&desk);
}
END_TEST

START_TEST (test_a_path_with_a_living_owner_is_left_to_it)
{
    desk_t desk;
    open_desk (&desk, "pull", "ipc://in");
    ck_assert_int_eq (mr_binding_bind (&desk.binding, desk.socket, &desk.bound, &desk.err), MR_OK);
    void *first = desk.socket;
    struct stat st;
    ck_assert_int_eq (stat (path_of (&desk, "in"), &st), 0);
    ino_t inode = st.st_ino;
    desk.socket = zmq_socket (desk.zmq, ZMQ_PULL);
    assert_refused (&desk, MR_AGAIN, "another process listens on");
    ck_assert_int_eq (stat (path_of (&desk, "in"), &st), 0);
    ck_assert_uint_eq (st.st_ino, inode);
    zmq_close (first);
    close_desk (&desk);
}
END_TEST

START_TEST (test_what_is_not_a_socket_is_not_removed)
{
    desk_t desk;
    open_desk (&desk, "pull", "ipc://in");
    int fd = open (path_of (&desk, "in"), O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge (fd, 0);
    close (fd);
    assert_refused (&desk, MR_CONFIG, "exists and is not a socket; move it away");
    ck_assert_int_eq (access (path_of (&desk, "in"), F_OK), 0);
    ck_assert_int_eq (unlink (path_of (&desk, "in")), 0);
    ck_assert_int_eq (symlink ("/etc/passwd", path_of (&desk, "in")), 0);
    assert_refused (&desk, MR_CONFIG, "exists and is not a socket");
    ck_assert_int_eq (unlink (path_of (&desk, "in")), 0);
    ck_assert_int_eq (mkdir (path_of (&desk, "in"), 0700), 0);
    assert_refused (&desk, MR_CONFIG, "exists and is not a socket");
    close_desk (&desk);
}
END_TEST

/* A port that is held for the time of the test. */
static int
hold_port (int *ret_port)
{
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    ck_assert_int_eq (bind (fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq (listen (fd, 1), 0);
    ck_assert_int_eq (getsockname (fd, (struct sockaddr *)&address, &bytes), 0);
    *ret_port = ntohs (address.sin_port);
    return fd;
}

START_TEST (test_a_taken_port_is_temporary)
{
    desk_t desk;
    int port;
    char text[64];
    int holder = hold_port (&port);
    snprintf (text, sizeof text, "tcp://127.0.0.1:%d", port);
    open_desk (&desk, "router", text);
    assert_refused (&desk, MR_AGAIN, "Address already in use; stop who uses it or choose another");
    close_desk (&desk);
    snprintf (text, sizeof text, "127.0.0.1:%d", port);
    open_desk (&desk, "tcp", text);
    int fd = -1;
    ck_assert_int_eq (mr_binding_listen (&desk.binding, &fd, &desk.err), MR_AGAIN);
    ck_assert_int_eq (fd, -1);
    ck_assert_ptr_nonnull (strstr (desk.err.text, "x.ini:2: [ingest] tcp:"));
    close (holder);
    ck_assert_int_eq (mr_binding_listen (&desk.binding, &fd, &desk.err), MR_OK);
    ck_assert_int_ne (fcntl (fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne (fcntl (fd, F_GETFD) & FD_CLOEXEC, 0);
    close (fd);
    close_desk (&desk);
}
END_TEST

START_TEST (test_an_address_that_is_not_ours_is_a_fault_of_the_configuration)
{
    desk_t desk;
    int fd = -1;
    open_desk (&desk, "tcp", "192.0.2.1:5170");
    ck_assert_int_eq (mr_binding_listen (&desk.binding, &fd, &desk.err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (desk.err.text, "192.0.2.1:5170"));
    close_desk (&desk);
    open_desk (&desk, "router", "tcp://192.0.2.1:5550");
    assert_refused (&desk, MR_CONFIG, "tcp://192.0.2.1:5550");
    close_desk (&desk);
}
END_TEST

START_TEST (test_a_path_that_was_removed_is_bound_again_with_its_mode_unless_its_parents_went_too)
{
    desk_t desk;
    struct stat st;
    open_desk (&desk, "pull", "ipc://deep/down/in");
    ck_assert_int_eq (mr_binding_bind (&desk.binding, desk.socket, &desk.bound, &desk.err), MR_OK);
    mr_binding_hold (&desk.bound); /* nothing to do */
    ck_assert_int_eq (chmod (path_of (&desk, "deep/down/in"), 0666), 0);
    mr_binding_hold (&desk.bound);
    ck_assert_int_eq (stat (path_of (&desk, "deep/down/in"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 0777, 0666); /* what somebody changed stays */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq (unlink (path_of (&desk, "deep/down/in")), 0);
        ck_assert (i == 0 || rmdir (path_of (&desk, "deep/down")) == 0);
        mr_binding_hold (&desk.bound);
        ck_assert_int_eq (stat (path_of (&desk, "deep/down/in"), &st), 0);
        ck_assert (S_ISSOCK (st.st_mode));
        ck_assert_uint_eq (st.st_mode & 0777, 0620);
    }
    ck_assert_int_eq (unlink (path_of (&desk, "deep/down/in")), 0);
    ck_assert_int_eq (rmdir (path_of (&desk, "deep/down")), 0);
    ck_assert_int_eq (rmdir (path_of (&desk, "deep")), 0);
    mr_binding_hold (&desk.bound);
    ck_assert (desk.bound.said);
    ck_assert_int_ne (access (path_of (&desk, "deep"), F_OK), 0);
    ck_assert_int_eq (mkdir (path_of (&desk, "deep"), 0700), 0);
    mr_binding_hold (&desk.bound);
    ck_assert (!desk.bound.said);
    ck_assert_int_eq (access (path_of (&desk, "deep/down/in"), F_OK), 0);
    close_desk (&desk);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_an_ipc_path_gets_its_slot_directory_and_mode,
        test_a_path_with_a_living_owner_is_left_to_it,
        test_what_is_not_a_socket_is_not_removed,
        test_a_taken_port_is_temporary,
        test_an_address_that_is_not_ours_is_a_fault_of_the_configuration,
        test_a_path_that_was_removed_is_bound_again_with_its_mode_unless_its_parents_went_too,
        NULL,
    };
    return mr_suite_run ("binding", tests);
}
