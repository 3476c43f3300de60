#include "tests/support/launcher/policy_kit.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>

/* A policy in the given state, reached by events. */
static mr_policy_t
in_state (mr_policy_state_t state)
{
    mr_policy_t policy = {0};
    if (state == MR_POLICY_STOPPED) {
        return policy;
    }
    mr_kit_step (&policy, MR_POLICY_START);
    if (state == MR_POLICY_RUNNING || state == MR_POLICY_DRAINING) {
        mr_kit_step (&policy, MR_POLICY_READY);
    }
    if (state == MR_POLICY_DRAINING) {
        mr_kit_step (&policy, MR_POLICY_STOP);
    } else if (state == MR_POLICY_BACKING_OFF) {
        mr_kit_die (&policy, 1, 0);
    } else if (state == MR_POLICY_GIVEN_UP) {
        mr_kit_die (&policy, 78, 0);
    }
    ck_assert_int_eq (policy.state, state);
    return policy;
}

static void
run_for (mr_policy_t *policy, int64_t ms)
{
    mr_kit_step (policy, MR_POLICY_READY);
    ck_assert_int_eq (policy->state, MR_POLICY_RUNNING);
    mr_kit_now_ns += MR_KIT_MS (ms);
}

typedef struct expectation {
    mr_policy_state_t next;
    mr_policy_action_t action;
} expectation_t;

#define TO(state, what)                     \
    {                                       \
        MR_POLICY_##state, MR_POLICY_##what \
    }

/* Every state under every event; EXITED is a crash with code 1 of a fresh worker. */
static const expectation_t expected[MR_POLICY_STATES][MR_POLICY_EVENTS] =
    {
        [MR_POLICY_STOPPED] =
            {
                [MR_POLICY_START] = TO (STARTING, SPAWN),
                [MR_POLICY_STOP] = TO (STOPPED, NONE),
                [MR_POLICY_STOP_NOW] = TO (STOPPED, NONE),
                [MR_POLICY_LEAVE] = TO (STOPPED, NONE),
                [MR_POLICY_RESTART] = TO (STARTING, SPAWN),
                [MR_POLICY_RESTART_NOW] = TO (STARTING, SPAWN),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (STOPPED, NONE),
                [MR_POLICY_WAITS] = TO (STOPPED, NONE),
                [MR_POLICY_EXITED] = TO (STOPPED, NONE),
                [MR_POLICY_TICK] = TO (STOPPED, NONE),
            },
        [MR_POLICY_STARTING] =
            {
                [MR_POLICY_START] = TO (STARTING, NONE),
                [MR_POLICY_STOP] = TO (DRAINING, TERM),
                [MR_POLICY_STOP_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_LEAVE] = TO (STARTING, NONE),
                [MR_POLICY_RESTART] = TO (DRAINING, TERM),
                [MR_POLICY_RESTART_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (STARTING, NONE),
                [MR_POLICY_WAITS] = TO (STARTING, NONE),
                [MR_POLICY_EXITED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_TICK] = TO (STARTING, NONE),
            },
        [MR_POLICY_RUNNING] =
            {
                [MR_POLICY_START] = TO (RUNNING, NONE),
                [MR_POLICY_STOP] = TO (DRAINING, TERM),
                [MR_POLICY_STOP_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_LEAVE] = TO (DRAINING, USR1),
                [MR_POLICY_RESTART] = TO (DRAINING, TERM),
                [MR_POLICY_RESTART_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_ADOPT] = TO (RUNNING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (RUNNING, NONE),
                [MR_POLICY_WAITS] = TO (RUNNING, NONE),
                [MR_POLICY_EXITED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_TICK] = TO (RUNNING, NONE),
            },
        [MR_POLICY_DRAINING] =
            {
                [MR_POLICY_START] = TO (DRAINING, NONE),
                [MR_POLICY_STOP] = TO (DRAINING, NONE),
                [MR_POLICY_STOP_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_LEAVE] = TO (DRAINING, NONE),
                [MR_POLICY_RESTART] = TO (DRAINING, NONE),
                [MR_POLICY_RESTART_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_ADOPT] = TO (DRAINING, NONE),
                [MR_POLICY_READY] = TO (DRAINING, NONE),
                [MR_POLICY_WORKED] = TO (DRAINING, NONE),
                [MR_POLICY_WAITS] = TO (DRAINING, NONE),
                [MR_POLICY_EXITED] = TO (STOPPED, NONE),
                [MR_POLICY_TICK] = TO (DRAINING, NONE),
            },
        [MR_POLICY_BACKING_OFF] =
            {
                [MR_POLICY_START] = TO (STARTING, SPAWN),
                [MR_POLICY_STOP] = TO (STOPPED, NONE),
                [MR_POLICY_STOP_NOW] = TO (STOPPED, NONE),
                [MR_POLICY_LEAVE] = TO (STOPPED, NONE),
                [MR_POLICY_RESTART] = TO (STARTING, SPAWN),
                [MR_POLICY_RESTART_NOW] = TO (STARTING, SPAWN),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_WAITS] = TO (BACKING_OFF, NONE),
                [MR_POLICY_EXITED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_TICK] = TO (BACKING_OFF, NONE),
            },
        [MR_POLICY_GIVEN_UP] =
            {
                [MR_POLICY_START] = TO (STARTING, SPAWN),
                [MR_POLICY_STOP] = TO (STOPPED, NONE),
                [MR_POLICY_STOP_NOW] = TO (STOPPED, NONE),
                [MR_POLICY_LEAVE] = TO (STOPPED, NONE),
                [MR_POLICY_RESTART] = TO (STARTING, SPAWN),
                [MR_POLICY_RESTART_NOW] = TO (STARTING, SPAWN),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (GIVEN_UP, NONE),
                [MR_POLICY_WAITS] = TO (GIVEN_UP, NONE),
                [MR_POLICY_EXITED] = TO (GIVEN_UP, NONE),
                [MR_POLICY_TICK] = TO (GIVEN_UP, NONE),
            },
};

START_TEST (test_every_event_in_every_state_does_what_the_table_says)
{
    mr_kit_begin ();
    for (int state = 0; state < MR_POLICY_STATES; state++) {
        for (int event = 0; event < MR_POLICY_EVENTS; event++) {
            mr_policy_t policy = in_state ((mr_policy_state_t)state);
            mr_policy_action_t action = event == MR_POLICY_EXITED
                                            ? mr_kit_die (&policy, 1, 0)
                                            : mr_kit_step (&policy, (mr_policy_event_t)event);
            ck_assert_msg (policy.state == expected[state][event].next &&
                               action == expected[state][event].action,
                           "state %s, event %d: went to %s, action %d",
                           mr_policy_state_name ((mr_policy_state_t)state), event,
                           mr_policy_state_name (policy.state), (int)action);
        }
    }
}
END_TEST

START_TEST (test_who_leaves_has_all_the_time_until_somebody_is_in_a_hurry)
{
    static const mr_policy_event_t hurries[] = {MR_POLICY_STOP, MR_POLICY_START, MR_POLICY_RESTART};
    for (size_t i = 0; i < sizeof hurries / sizeof *hurries; i++) {
        mr_kit_begin ();
        mr_policy_t policy = in_state (MR_POLICY_RUNNING);
        ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_LEAVE), MR_POLICY_USR1);
        mr_kit_now_ns += MR_KIT_MS (1000 * mr_kit_limits.stop_timeout_ms);
        ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
        ck_assert_int_eq (mr_kit_step (&policy, hurries[i]), MR_POLICY_TERM);
        ck_assert_int_eq (mr_kit_step (&policy, hurries[i]), MR_POLICY_NONE);
        mr_kit_now_ns += MR_KIT_MS (mr_kit_limits.stop_timeout_ms);
        ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_KILL);
        mr_kit_die (&policy, -1, SIGKILL);
        ck_assert_int_eq (policy.state,
                          hurries[i] == MR_POLICY_STOP ? MR_POLICY_STOPPED : MR_POLICY_STARTING);
        ck_assert (!policy.leaving);
    }
}
END_TEST

START_TEST (test_a_worker_that_worked_is_started_again_at_once_however_often_it_dies)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        run_for (&policy, MR_POLICY_STEADY_MS);
        mr_kit_die (&policy, -1, SIGSEGV);
        ck_assert_int_eq (mr_kit_wait_out (&policy), 0);
    }
    ck_assert_uint_eq (policy.restarts, 20);
}
END_TEST

START_TEST (test_work_that_was_seen_counts_before_the_worker_is_steady)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        run_for (&policy, 1);
        mr_kit_step (&policy, MR_POLICY_WORKED);
        mr_kit_die (&policy, -1, SIGSEGV);
        ck_assert_int_eq (mr_kit_wait_out (&policy), 0);
    }
}
END_TEST

START_TEST (test_a_worker_that_never_gets_ready_waits_longer_each_time)
{
    mr_kit_begin ();
    mr_policy_limits_t patient = mr_kit_limits;
    patient.restart_limit = 100;
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    static const int64_t waits[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        mr_policy_exited (&policy, &patient, 1, 0, mr_kit_now_ns);
        ck_assert_int_eq (mr_kit_wait_out (&policy), waits[i]);
    }
}
END_TEST

START_TEST (test_one_more_death_after_work_begins_the_waits_anew)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    mr_kit_die (&policy, 1, 0);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 100);
    mr_kit_die (&policy, 1, 0);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 200);
    run_for (&policy, 5000);
    mr_kit_die (&policy, 1, 0);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 0);
    run_for (&policy, 1);
    mr_kit_die (&policy, 1, 0);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 100);
}
END_TEST

START_TEST (test_five_deaths_in_thirty_seconds_without_work_are_the_end)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 4; i++) {
        mr_kit_die (&policy, 1, 0);
        mr_kit_wait_out (&policy);
    }
    mr_kit_die (&policy, 1, 0);
    ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
    mr_kit_now_ns += MR_KIT_MS (3600000);
    ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
}
END_TEST

START_TEST (test_deaths_that_are_further_apart_than_the_window_are_not_the_end)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        mr_kit_now_ns += MR_KIT_MS (7600); /* the fifth is 30.4 s after the first */
        mr_kit_die (&policy, 1, 0);
        mr_kit_now_ns = policy.deadline_ns;
        mr_kit_step (&policy, MR_POLICY_TICK);
        ck_assert_int_eq (policy.state, MR_POLICY_STARTING);
    }
}
END_TEST

START_TEST (test_a_ready_worker_that_others_kill_is_never_given_up)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        run_for (&policy, 1);
        mr_kit_die (&policy, -1, i % 2 ? SIGKILL : SIGTERM);
        ck_assert_int_le (mr_kit_wait_out (&policy), mr_kit_limits.backoff_max_ms);
    }
}
END_TEST

START_TEST (test_a_killed_worker_that_was_not_ready_counts_as_a_failure)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 4; i++) {
        mr_kit_die (&policy, -1, SIGKILL);
        mr_kit_wait_out (&policy);
    }
    mr_kit_die (&policy, -1, SIGKILL);
    ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
}
END_TEST

START_TEST (test_usage_and_configuration_faults_are_given_up_at_once)
{
    static const int codes[] = {64, 78};
    for (size_t i = 0; i < 2; i++) {
        mr_kit_begin ();
        mr_policy_t policy = in_state (MR_POLICY_STARTING);
        run_for (&policy, 60000);
        mr_kit_die (&policy, codes[i], 0);
        ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
    }
}
END_TEST

START_TEST (test_the_operator_clears_the_brake)
{
    static const mr_policy_event_t words[] = {MR_POLICY_START, MR_POLICY_RESTART,
                                              MR_POLICY_RESTART_NOW};
    for (size_t i = 0; i < 3; i++) {
        mr_kit_begin ();
        mr_policy_t policy = in_state (MR_POLICY_STARTING);
        for (int death = 0; death < 5; death++) {
            mr_kit_die (&policy, 1, 0);
            mr_kit_now_ns = policy.deadline_ns > mr_kit_now_ns ? policy.deadline_ns : mr_kit_now_ns;
            mr_kit_step (&policy, MR_POLICY_TICK);
        }
        ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
        ck_assert_int_eq (mr_kit_step (&policy, words[i]), MR_POLICY_SPAWN);
        mr_kit_die (&policy, 1, 0);
        ck_assert_int_eq (policy.state, MR_POLICY_BACKING_OFF);
        ck_assert_int_eq (policy.deadline_ns - mr_kit_now_ns, MR_KIT_MS (100));
    }
}
END_TEST

START_TEST (test_a_late_start_is_killed_once_and_counts_as_a_failure)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    mr_kit_now_ns += MR_KIT_MS (mr_kit_limits.start_timeout_ms) - 1;
    ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    mr_kit_now_ns += 1;
    ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_KILL);
    ck_assert (policy.killed);
    mr_kit_now_ns += MR_KIT_MS (mr_kit_limits.start_timeout_ms);
    ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    mr_kit_die (&policy, -1, SIGKILL);
    ck_assert_int_eq (policy.state, MR_POLICY_BACKING_OFF);
}
END_TEST

START_TEST (test_a_late_drain_is_killed_once)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_DRAINING);
    mr_kit_now_ns += MR_KIT_MS (mr_kit_limits.stop_timeout_ms);
    ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_KILL);
    ck_assert (policy.killed);
    ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    mr_kit_die (&policy, -1, SIGKILL);
    ck_assert_int_eq (policy.state, MR_POLICY_STOPPED);
}
END_TEST

START_TEST (test_a_restart_comes_back_whatever_the_exit_code)
{
    static const int codes[] = {0, 1, 64, 78};
    for (size_t i = 0; i < 4; i++) {
        mr_kit_begin ();
        mr_policy_t policy = in_state (MR_POLICY_RUNNING);
        ck_assert_int_eq (mr_kit_step (&policy, MR_POLICY_RESTART), MR_POLICY_TERM);
        ck_assert_int_eq (mr_kit_die (&policy, codes[i], 0), MR_POLICY_SPAWN);
        ck_assert_int_eq (policy.state, MR_POLICY_STARTING);
    }
}
END_TEST

START_TEST (test_the_last_word_while_it_drains_counts)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_DRAINING);
    mr_kit_step (&policy, MR_POLICY_START);
    ck_assert_int_eq (mr_kit_die (&policy, 0, 0), MR_POLICY_SPAWN);
    policy = in_state (MR_POLICY_RUNNING);
    mr_kit_step (&policy, MR_POLICY_RESTART);
    mr_kit_step (&policy, MR_POLICY_STOP);
    ck_assert_int_eq (mr_kit_die (&policy, 0, 0), MR_POLICY_NONE);
    ck_assert_int_eq (policy.state, MR_POLICY_STOPPED);
}
END_TEST

START_TEST (test_a_clean_exit_that_nobody_asked_for_is_a_death)
{
    mr_kit_begin ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    run_for (&policy, 5000);
    mr_kit_die (&policy, 0, 0);
    ck_assert_int_eq (policy.state, MR_POLICY_BACKING_OFF);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 0);
}
END_TEST

START_TEST (test_a_worker_started_by_hand_is_not_brought_back)
{
    mr_kit_begin ();
    mr_policy_t policy = {0};
    mr_kit_step (&policy, MR_POLICY_ADOPT);
    mr_kit_step (&policy, MR_POLICY_READY);
    ck_assert_int_eq (policy.state, MR_POLICY_RUNNING);
    ck_assert_int_eq (mr_kit_die (&policy, -1, 0), MR_POLICY_NONE);
    ck_assert_int_eq (policy.state, MR_POLICY_STOPPED);
    ck_assert_uint_eq (policy.restarts, 0);
}
END_TEST

START_TEST (test_an_adopted_worker_that_is_wanted_is_brought_back)
{
    mr_kit_begin ();
    mr_policy_t policy = {0};
    mr_kit_step (&policy, MR_POLICY_ADOPT);
    mr_kit_step (&policy, MR_POLICY_READY);
    mr_kit_step (&policy, MR_POLICY_START);
    mr_kit_now_ns += MR_KIT_MS (MR_POLICY_STEADY_MS);
    mr_kit_die (&policy, -1, 0);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 0);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_every_event_in_every_state_does_what_the_table_says,
        test_who_leaves_has_all_the_time_until_somebody_is_in_a_hurry,
        test_a_worker_that_worked_is_started_again_at_once_however_often_it_dies,
        test_work_that_was_seen_counts_before_the_worker_is_steady,
        test_a_worker_that_never_gets_ready_waits_longer_each_time,
        test_one_more_death_after_work_begins_the_waits_anew,
        test_five_deaths_in_thirty_seconds_without_work_are_the_end,
        test_deaths_that_are_further_apart_than_the_window_are_not_the_end,
        test_a_ready_worker_that_others_kill_is_never_given_up,
        test_a_killed_worker_that_was_not_ready_counts_as_a_failure,
        test_usage_and_configuration_faults_are_given_up_at_once,
        test_the_operator_clears_the_brake,
        test_a_late_start_is_killed_once_and_counts_as_a_failure,
        test_a_late_drain_is_killed_once,
        test_a_restart_comes_back_whatever_the_exit_code,
        test_the_last_word_while_it_drains_counts,
        test_a_clean_exit_that_nobody_asked_for_is_a_death,
        test_a_worker_started_by_hand_is_not_brought_back,
        test_an_adopted_worker_that_is_wanted_is_brought_back,
        NULL,
    };
    return mr_suite_run ("policy", tests);
}
