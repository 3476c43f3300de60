#include "common/base/clock.h"
#include "common/runtime/inbox.h"
#include "common/wire/control.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define DEADLINE_NS (30 * MR_NS_PER_S)

typedef struct desk {
    char path[96];
    void *zmq;
    mr_loop_t *loop;
    mr_inbox_t *inbox;
    int calls;
} desk_t;

static void
on_readable (void *arg)
{
    desk_t *desk = arg;
    desk->calls++;
}

#define wait_until(desk, fact)                                                      \
    do {                                                                            \
        int64_t end_ns = mr_clock_mono_ns () + DEADLINE_NS;                         \
        while (!(fact)) {                                                           \
            ck_assert_msg (mr_clock_mono_ns () < end_ns, "not in time: %s", #fact); \
            ck_assert_int_eq (mr_loop_once ((desk)->loop, 1), MR_OK);               \
        }                                                                           \
    } while (0)

static void
open_desk (desk_t *desk)
{
    *desk = (desk_t){.zmq = zmq_ctx_new ()};
    snprintf (desk->path, sizeof desk->path, "%.60s/processor.0.ipc", mr_test_dir ());
    ck_assert_int_eq (mr_loop_new (&desk->loop), MR_OK);
    mr_inbox_options_t options = {.zmq = desk->zmq,
                                  .loop = desk->loop,
                                  .path = desk->path,
                                  .hwm = 2,
                                  .readable = on_readable,
                                  .arg = desk};
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_inbox_new (&options, &desk->inbox, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
}

static void
close_desk (desk_t *desk)
{
    mr_inbox_destroy (&desk->inbox);
    mr_loop_destroy (&desk->loop);
    zmq_ctx_term (desk->zmq);
}

static void *
connect_upstream (desk_t *desk)
{
    char endpoint[128];
    void *socket = zmq_socket (desk->zmq, ZMQ_PUSH);
    snprintf (endpoint, sizeof endpoint, "ipc://%s", desk->path);
    ck_assert_int_eq (zmq_connect (socket, endpoint), 0);
    return socket;
}

/* The next message as a string, "" for none. */
static const char *
receive (desk_t *desk)
{
    static char text[64];
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    text[0] = '\0';
    if (mr_inbox_receive (desk->inbox, &msg) == MR_OK) {
        ck_assert_uint_eq ((uintptr_t)zmq_msg_data (&msg) % 8, 0);
        snprintf (text, sizeof text, "%.*s", (int)zmq_msg_size (&msg),
                  (const char *)zmq_msg_data (&msg));
    }
    zmq_msg_close (&msg);
    return text;
}

static void
say_farewell (void *socket)
{
    static uint8_t bye[MR_BYE_BYTES];
    mr_bye_encode (bye);
    ck_assert_int_eq (zmq_send (socket, bye, sizeof bye, 0), (int)sizeof bye);
}

START_TEST (test_messages_come_aligned_and_farewells_are_swallowed)
{
    desk_t desk;
    open_desk (&desk);
    void *upstream = connect_upstream (&desk);
    static const char *const texts[] = {"a", "bc", "def", "ghij", "klmno"}; /* share a buffer */
    for (size_t i = 0; i < 5; i++) {
        int bytes = (int)strlen (texts[i]);
        ck_assert_int_eq (zmq_send (upstream, texts[i], (size_t)bytes, 0), bytes);
    }
    say_farewell (upstream);
    ck_assert_int_eq (zmq_send (upstream, "last", 4, 0), 4);
    for (size_t i = 0; i < 5; i++) {
        const char *text;
        wait_until (&desk, (text = receive (&desk))[0] != '\0');
        ck_assert_str_eq (text, texts[i]);
    }
    const char *text;
    wait_until (&desk, (text = receive (&desk))[0] != '\0');
    ck_assert_str_eq (text, "last");
    ck_assert_str_eq (receive (&desk), "");
    zmq_close (upstream);
    close_desk (&desk);
}
END_TEST

START_TEST (test_a_disabled_inbox_calls_nobody)
{
    desk_t desk;
    open_desk (&desk);
    mr_inbox_enable (desk.inbox, false);
    void *upstream = connect_upstream (&desk);
    ck_assert_int_eq (zmq_send (upstream, "x", 1, 0), 1);
    int64_t later_ns = mr_clock_mono_ns () + 50 * MR_NS_PER_MS;
    wait_until (&desk, mr_clock_mono_ns () > later_ns);
    ck_assert_int_eq (desk.calls, 0);
    mr_inbox_enable (desk.inbox, true);
    wait_until (&desk, desk.calls > 0);
    ck_assert_str_eq (receive (&desk), "x");
    zmq_close (upstream);
    close_desk (&desk);
}
END_TEST

START_TEST (test_it_is_quiet_when_all_have_left_and_nothing_is_waiting)
{
    desk_t desk;
    open_desk (&desk);
    mr_inbox_enable (desk.inbox, false);
    void *first = connect_upstream (&desk);
    void *second = connect_upstream (&desk);
    ck_assert_int_eq (zmq_send (first, "1", 1, 0), 1);
    ck_assert_int_eq (zmq_send (second, "2", 1, 0), 1);
    wait_until (&desk, receive (&desk)[0] != '\0');
    wait_until (&desk, receive (&desk)[0] != '\0');
    int64_t far_ns = mr_clock_mono_ns () + 60 * MR_NS_PER_S;
    ck_assert (!mr_inbox_quiet (desk.inbox, far_ns)); /* it has not withdrawn */
    mr_inbox_withdraw (desk.inbox);
    ck_assert_int_ne (access (desk.path, F_OK), 0);
    ck_assert (!mr_inbox_quiet (desk.inbox, far_ns)); /* two are connected */
    zmq_close (first);
    ck_assert_int_eq (zmq_send (second, "late", 4, 0), 4);
    say_farewell (second);
    int linger_ms = 30000;
    zmq_setsockopt (second, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close (second);
    int calls = desk.calls;
    mr_inbox_enable (desk.inbox, true); /* tells when it has come */
    wait_until (&desk, desk.calls > calls);
    mr_inbox_enable (desk.inbox, false);
    ck_assert (!mr_inbox_quiet (desk.inbox, mr_clock_mono_ns () + MR_NS_PER_S)); /* one waits */
    ck_assert_str_eq (receive (&desk), "late");
    wait_until (&desk, (receive (&desk), mr_inbox_quiet (desk.inbox, mr_clock_mono_ns ())));
    close_desk (&desk);
}
END_TEST

START_TEST (test_without_upstreams_it_is_quiet_after_a_moment)
{
    desk_t desk;
    open_desk (&desk);
    mr_inbox_withdraw (desk.inbox);
    ck_assert (!mr_inbox_quiet (desk.inbox, mr_clock_mono_ns ()));
    ck_assert (mr_inbox_quiet (desk.inbox, mr_clock_mono_ns () + MR_NS_PER_S));
    close_desk (&desk);
}
END_TEST

START_TEST (test_a_path_that_cannot_be_bound_is_named)
{
    desk_t desk;
    open_desk (&desk);
    mr_inbox_options_t options = {.zmq = desk.zmq,
                                  .loop = desk.loop,
                                  .path = "/no/such/run/processor.0.ipc",
                                  .hwm = 2,
                                  .readable = on_readable};
    mr_inbox_t *inbox = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_inbox_new (&options, &inbox, &err), MR_SYSTEM);
    ck_assert_ptr_null (inbox);
    ck_assert_ptr_nonnull (strstr (err.text, "/no/such/run/processor.0.ipc"));
    close_desk (&desk);
}
END_TEST

START_TEST (test_a_socket_that_lost_its_file_is_found_again_and_keeps_who_is_connected)
{
    desk_t desk;
    open_desk (&desk);
    mr_error_t err = {.text = ""};
    void *first = connect_upstream (&desk);
    ck_assert_int_eq (zmq_send (first, "before", 6, 0), 6);
    wait_until (&desk, strcmp (receive (&desk), "before") == 0);
    ck_assert_int_eq (mr_inbox_hold (desk.inbox, &err), MR_OK); /* nothing to do */
    ck_assert_int_eq (unlink (desk.path), 0);
    ck_assert_int_eq (mr_inbox_hold (desk.inbox, &err), MR_OK);
    ck_assert_int_eq (access (desk.path, F_OK), 0);
    void *second = connect_upstream (&desk);
    ck_assert_int_eq (zmq_send (second, "new", 3, 0), 3);
    wait_until (&desk, strcmp (receive (&desk), "new") == 0);
    ck_assert_int_eq (zmq_send (first, "after", 5, 0), 5);
    wait_until (&desk, strcmp (receive (&desk), "after") == 0);
    mr_inbox_withdraw (desk.inbox);
    ck_assert_int_ne (access (desk.path, F_OK), 0);
    ck_assert_int_eq (mr_inbox_hold (desk.inbox, &err), MR_OK);
    ck_assert_int_ne (access (desk.path, F_OK), 0); /* what was withdrawn stays away */
    say_farewell (first);
    say_farewell (second);
    zmq_close (first);
    zmq_close (second);
    wait_until (&desk,
                receive (&desk)[0] == '\0' && mr_inbox_quiet (desk.inbox, mr_clock_mono_ns ()));
    close_desk (&desk);
}
END_TEST

/* By the number mr_presence_look tells a full disk from a directory that may not be made. */
START_TEST (test_why_a_socket_cannot_be_made_again_is_told_with_its_number)
{
    desk_t desk;
    open_desk (&desk);
    mr_error_t err = {.text = ""};
    char directory[sizeof desk.path];
    snprintf (directory, sizeof directory, "%s", desk.path);
    *strrchr (directory, '/') = '\0';
    ck_assert_int_eq (unlink (desk.path), 0);
    ck_assert_int_eq (rmdir (directory), 0);
    ck_assert_int_eq (mr_inbox_hold (desk.inbox, &err), MR_SYSTEM);
    ck_assert_int_eq (err.number, ENOENT);
    ck_assert_ptr_nonnull (strstr (err.text, desk.path));
    close_desk (&desk);
}
END_TEST

START_TEST (test_a_socket_of_somebody_else_at_its_path_is_not_withdrawn)
{
    desk_t desk;
    open_desk (&desk);
    ck_assert_int_eq (unlink (desk.path), 0);
    FILE *other = fopen (desk.path, "w");
    ck_assert_ptr_nonnull (other);
    ck_assert_int_eq (fclose (other), 0);
    mr_inbox_withdraw (desk.inbox);
    ck_assert_int_eq (access (desk.path, F_OK), 0);
    close_desk (&desk);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_messages_come_aligned_and_farewells_are_swallowed,
        test_a_disabled_inbox_calls_nobody,
        test_it_is_quiet_when_all_have_left_and_nothing_is_waiting,
        test_without_upstreams_it_is_quiet_after_a_moment,
        test_a_path_that_cannot_be_bound_is_named,
        test_a_socket_that_lost_its_file_is_found_again_and_keeps_who_is_connected,
        test_why_a_socket_cannot_be_made_again_is_told_with_its_number,
        test_a_socket_of_somebody_else_at_its_path_is_not_withdrawn,
        NULL,
    };
    return mr_suite_run ("inbox", tests);
}
