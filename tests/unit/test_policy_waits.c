/* The judgement about a worker that says what keeps it from starting. */
#include "tests/support/launcher/policy_kit.h"
#include "tests/support/suite.h"

#include <signal.h>

/* On its way up. */
static mr_policy_t
starting (void)
{
    mr_policy_t policy = {0};
    mr_kit_step (&policy, MR_POLICY_START);
    ck_assert_int_eq (policy.state, MR_POLICY_STARTING);
    return policy;
}

START_TEST (test_one_that_says_what_it_waits_for_is_never_given_up)
{
    mr_kit_begin ();
    mr_policy_t policy = starting ();
    int64_t longest = 0;
    for (int i = 0; i < 100; i++) {
        mr_kit_step (&policy, MR_POLICY_WAITS);
        mr_kit_die (&policy, 75, 0);
        int64_t waited = mr_kit_wait_out (&policy);
        longest = waited > longest ? waited : longest;
        ck_assert (!policy.waits); /* the next life has not said so */
    }
    ck_assert_int_eq (longest, mr_kit_limits.backoff_max_ms);
    mr_kit_step (&policy, MR_POLICY_READY);
    mr_kit_now_ns += MR_KIT_MS (MR_POLICY_STEADY_MS);
    mr_kit_die (&policy, 1, 0);
    ck_assert_int_eq (mr_kit_wait_out (&policy), 0); /* its waiting is forgotten */
}
END_TEST

START_TEST (test_saying_what_it_waits_for_excuses_nothing_else)
{
    static const struct {
        bool says;
        int code;
        int signal;
    } rows[] = {{false, 75, 0}, {true, 1, 0}, {true, -1, SIGKILL}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        mr_kit_begin ();
        mr_policy_t policy = starting ();
        for (int i = 0; i < 5; i++) {
            if (i > 0) {
                mr_kit_wait_out (&policy);
            }
            if (rows[row].says) {
                mr_kit_step (&policy, MR_POLICY_WAITS);
            }
            mr_kit_die (&policy, rows[row].code, rows[row].signal);
        }
        ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
    }
    mr_policy_t policy = starting ();
    mr_kit_step (&policy, MR_POLICY_READY);
    mr_kit_step (&policy, MR_POLICY_WAITS); /* it has started: it means nothing */
    ck_assert (!policy.waits);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_one_that_says_what_it_waits_for_is_never_given_up,
        test_saying_what_it_waits_for_excuses_nothing_else,
        NULL,
    };
    return mr_suite_run ("policy_waits", tests);
}
