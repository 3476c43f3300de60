#include "common/base/clock.h"
#include "common/runtime/loop.h"
#include "tests/support/suite.h"

#include <string.h>
#include <unistd.h>
#include <zmq.h>

/* One watched thing and what was heard of it. */
typedef struct probe {
    mr_loop_t *loop;
    int id;
    int calls;
    short revents;
    int fds[2];
    struct probe *other;
} probe_t;

static mr_loop_t *
new_loop (void)
{
    mr_loop_t *loop = NULL;
    ck_assert_int_eq (mr_loop_new (&loop), MR_OK);
    return loop;
}

static void
on_ready (void *arg, short revents)
{
    probe_t *probe = arg;
    char byte;
    probe->calls++;
    probe->revents = revents;
    ck_assert_int_eq (read (probe->fds[0], &byte, 1), 1);
}

static void
watch_pipe (probe_t *probe, mr_loop_t *loop, mr_loop_ready_fn *fn)
{
    *probe = (probe_t){.loop = loop};
    ck_assert_int_eq (pipe (probe->fds), 0);
    probe->id = mr_loop_add (loop, mr_loop_fd (probe->fds[0]), ZMQ_POLLIN, fn, probe);
    ck_assert_int_ne (probe->id, 0);
}

static void
poke (const probe_t *probe)
{
    ck_assert_int_eq (write (probe->fds[1], "x", 1), 1);
}

static void
turn (mr_loop_t *loop)
{
    ck_assert_int_eq (mr_loop_once (loop, 0), MR_OK);
}

START_TEST (test_a_descriptor_that_is_ready_is_called_once_a_turn)
{
    mr_loop_t *loop = new_loop ();
    probe_t probe;
    watch_pipe (&probe, loop, on_ready);
    turn (loop);
    ck_assert_int_eq (probe.calls, 0);
    poke (&probe);
    poke (&probe);
    turn (loop);
    ck_assert_int_eq (probe.calls, 1);
    ck_assert_int_eq (probe.revents, ZMQ_POLLIN);
    turn (loop);
    turn (loop);
    ck_assert_int_eq (probe.calls, 2);
    mr_loop_destroy (&loop);
    ck_assert_ptr_null (loop);
}
END_TEST

START_TEST (test_what_is_not_watched_is_not_called)
{
    mr_loop_t *loop = new_loop ();
    probe_t probe;
    watch_pipe (&probe, loop, on_ready);
    mr_loop_events (loop, probe.id, 0);
    poke (&probe);
    turn (loop);
    ck_assert_int_eq (probe.calls, 0);
    mr_loop_events (loop, probe.id, ZMQ_POLLIN);
    turn (loop);
    ck_assert_int_eq (probe.calls, 1);
    mr_loop_remove (loop, probe.id);
    poke (&probe);
    turn (loop);
    ck_assert_int_eq (probe.calls, 1);
    mr_loop_destroy (&loop);
}
END_TEST

static void
remove_both (void *arg, short revents)
{
    (void)revents;
    probe_t *probe = arg;
    probe->calls++;
    mr_loop_remove (probe->loop, probe->id);
    mr_loop_remove (probe->loop, probe->other->id);
}

START_TEST (test_a_handler_may_remove_itself_and_others_that_are_ready)
{
    mr_loop_t *loop = new_loop ();
    probe_t first;
    probe_t second;
    watch_pipe (&first, loop, remove_both);
    watch_pipe (&second, loop, remove_both);
    first.other = &second;
    second.other = &first;
    poke (&first);
    poke (&second);
    turn (loop);
    turn (loop);
    ck_assert_int_eq (first.calls + second.calls, 1);
    mr_loop_destroy (&loop);
}
END_TEST

static void
add_many (void *arg, short revents)
{
    probe_t *probe = arg;
    on_ready (arg, revents);
    for (int i = 0; i < 100; i++) { /* the arrays move */
        ck_assert_int_ne (
            mr_loop_add (probe->loop, mr_loop_fd (probe->other->fds[0]), 0, on_ready, NULL), 0);
    }
}

START_TEST (test_a_handler_may_add_while_others_are_ready)
{
    mr_loop_t *loop = new_loop ();
    probe_t first;
    probe_t second;
    watch_pipe (&first, loop, add_many);
    watch_pipe (&second, loop, on_ready);
    first.other = &second;
    poke (&first);
    poke (&second);
    turn (loop);
    ck_assert_int_eq (first.calls, 1);
    ck_assert_int_eq (second.calls, 1);
    mr_loop_destroy (&loop);
}
END_TEST

static void
on_message (void *arg, short revents)
{
    probe_t *probe = arg;
    probe->calls++;
    probe->revents = revents;
}

START_TEST (test_sockets_are_watched_like_descriptors)
{
    mr_loop_t *loop = new_loop ();
    void *zmq = zmq_ctx_new ();
    void *pull = zmq_socket (zmq, ZMQ_PULL);
    void *push = zmq_socket (zmq, ZMQ_PUSH);
    ck_assert_int_eq (zmq_bind (pull, "inproc://loop"), 0);
    ck_assert_int_eq (zmq_connect (push, "inproc://loop"), 0);
    probe_t probe = {.loop = loop};
    probe.id = mr_loop_add (loop, mr_loop_socket (pull), ZMQ_POLLIN, on_message, &probe);
    turn (loop);
    ck_assert_int_eq (probe.calls, 0);
    ck_assert_int_eq (zmq_send (push, "x", 1, 0), 1);
    ck_assert_int_eq (mr_loop_once (loop, 60000), MR_OK);
    ck_assert_int_eq (probe.calls, 1);
    ck_assert_int_eq (probe.revents, ZMQ_POLLIN);
    mr_loop_destroy (&loop);
    zmq_close (push);
    zmq_close (pull);
    zmq_ctx_term (zmq);
}
END_TEST

static void
on_timer (void *arg, int64_t mono_ns)
{
    probe_t *probe = arg;
    ck_assert_int_le (mono_ns, mr_clock_mono_ns ());
    probe->calls++;
    if (probe->calls == 3) {
        mr_loop_stop (probe->loop);
    }
}

START_TEST (test_a_timer_comes_again_and_again_until_it_is_removed)
{
    mr_loop_t *loop = new_loop ();
    probe_t probe = {.loop = loop};
    int64_t began_ns = mr_clock_mono_ns ();
    int id = mr_loop_timer (loop, 1, on_timer, &probe);
    ck_assert_int_ne (id, 0);
    ck_assert_int_eq (mr_loop_run (loop), MR_OK);
    ck_assert_int_eq (probe.calls, 3);
    ck_assert_int_ge (mr_clock_mono_ns () - began_ns, 3 * MR_NS_PER_MS);
    mr_loop_timer_remove (loop, id);
    ck_assert_int_eq (mr_loop_once (loop, 5), MR_OK);
    ck_assert_int_eq (probe.calls, 3);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_a_late_timer_does_not_catch_up_in_a_burst)
{
    mr_loop_t *loop = new_loop ();
    probe_t probe = {.loop = loop};
    ck_assert_int_ne (mr_loop_timer (loop, 10, on_timer, &probe), 0);
    usleep (100000); /* nine of its times pass */
    turn (loop);
    ck_assert_int_eq (probe.calls, 1);
    turn (loop);
    ck_assert_int_le (probe.calls, 2);
    mr_loop_destroy (&loop);
}
END_TEST

START_TEST (test_a_single_call_comes_once_and_not_before_its_time)
{
    mr_loop_t *loop = new_loop ();
    probe_t probe = {.loop = loop};
    int64_t due_ns = mr_clock_mono_ns () + 20 * MR_NS_PER_MS;
    ck_assert_int_ne (mr_loop_at (loop, due_ns, on_timer, &probe), 0);
    while (probe.calls == 0) {
        ck_assert_int_eq (mr_loop_once (loop, -1), MR_OK);
    }
    ck_assert_int_ge (mr_clock_mono_ns (), due_ns);
    ck_assert_int_eq (mr_loop_once (loop, 1), MR_OK);
    ck_assert_int_eq (probe.calls, 1);
    mr_loop_destroy (&loop);
}
END_TEST

static void
again (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    probe_t *probe = arg;
    probe->calls++;
    ck_assert_int_ne (mr_loop_at (probe->loop, 0, again, probe), 0);
}

START_TEST (test_a_call_that_asks_for_another_lets_others_have_their_turn)
{
    mr_loop_t *loop = new_loop ();
    probe_t probe = {.loop = loop};
    ck_assert_int_ne (mr_loop_at (loop, 0, again, &probe), 0);
    turn (loop);
    ck_assert_int_eq (probe.calls, 1);
    turn (loop);
    ck_assert_int_eq (probe.calls, 2);
    mr_loop_destroy (&loop);
}
END_TEST

static void
remove_other (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    probe_t *probe = arg;
    probe->calls++;
    mr_loop_timer_remove (probe->loop, probe->other->id);
}

START_TEST (test_a_timer_may_remove_another_that_is_due)
{
    mr_loop_t *loop = new_loop ();
    probe_t first = {.loop = loop};
    probe_t second = {.loop = loop, .other = &first};
    first.other = &second;
    first.id = mr_loop_at (loop, 0, remove_other, &first);
    second.id = mr_loop_at (loop, 0, remove_other, &second);
    turn (loop);
    turn (loop);
    ck_assert_int_eq (first.calls, 1);
    ck_assert_int_eq (second.calls, 0);
    mr_loop_timer_remove (loop, first.id); /* it is gone already: nothing happens */
    mr_loop_destroy (&loop);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_descriptor_that_is_ready_is_called_once_a_turn,
        test_what_is_not_watched_is_not_called,
        test_a_handler_may_remove_itself_and_others_that_are_ready,
        test_a_handler_may_add_while_others_are_ready,
        test_sockets_are_watched_like_descriptors,
        test_a_timer_comes_again_and_again_until_it_is_removed,
        test_a_late_timer_does_not_catch_up_in_a_burst,
        test_a_single_call_comes_once_and_not_before_its_time,
        test_a_call_that_asks_for_another_lets_others_have_their_turn,
        test_a_timer_may_remove_another_that_is_due,
        NULL,
    };
    return mr_suite_run ("loop", tests);
}
