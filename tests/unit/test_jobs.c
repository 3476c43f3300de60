/* What the launcher was asked for, without a process: workers are what their policies say, and the
 * test moves these as the end or the readiness of a process would. */
#include "launcher/jobs.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DONE_MAX = 8 };

static mr_plan_t plan;
static mr_unit_env_t env;
static mr_roster_t roster;
static mr_jobs_t jobs;
static mr_job_t done[DONE_MAX];
static int done_count;
static int64_t now_ns;

static void
on_note (void *arg, const mr_unit_t *unit, const char *what, const char *text)
{
    (void)arg;
    (void)unit;
    (void)what;
    (void)text;
}

static void
on_done (void *arg, const mr_job_t *job)
{
    (void)arg;
    ck_assert_int_lt (done_count, DONE_MAX);
    done[done_count++] = *job;
}

/* A worker that runs: its descriptor says that there is a process, and is none. */
static mr_unit_t *
add_worker (const char *stage, int slot)
{
    mr_unit_t *unit = mr_roster_get (&roster, stage, slot);
    ck_assert_ptr_nonnull (unit);
    unit->child.pidfd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge (unit->child.pidfd, 0);
    unit->policy = (mr_policy_t){.state = MR_POLICY_RUNNING, .wanted = true, .ready_ns = 1};
    unit->life = 1;
    return unit;
}

/* ingest, processor and exporter; two processors. */
static void
begin (void)
{
    static const char *const names[] = {"ingest", "processor", "exporter"};
    mr_log_init ("test", MR_LOG_ERROR);
    plan = (mr_plan_t){
        .stage_count = 3,
        .limits = {.start_timeout_ms = 1000,
                   .stop_timeout_ms = 8000,
                   .backoff_max_ms = 1000,
                   .restart_limit = 5,
                   .restart_window_ms = 30000},
    };
    snprintf (plan.run_dir, sizeof plan.run_dir, "%s", mr_test_dir ());
    for (int i = 0; i < 3; i++) {
        snprintf (plan.stages[i].name, sizeof plan.stages[i].name, "%s", names[i]);
        plan.stages[i].workers = i == 1 ? 2 : 1;
    }
    env = (mr_unit_env_t){.plan = &plan, .note = on_note};
    now_ns = MR_NS_PER_S;
    done_count = 0;
    mr_roster_init (&roster, &env);
    mr_jobs_init (&jobs, &plan, &roster);
    mr_jobs_on_done (&jobs, on_done, NULL);
    (void)add_worker ("ingest", 0);
    (void)add_worker ("processor", 0);
    (void)add_worker ("processor", 1);
    (void)add_worker ("exporter", 0);
}

static void
end (void)
{
    mr_jobs_release (&jobs);
    mr_roster_release (&roster);
}

static mr_unit_t *
worker (const char *stage, int slot)
{
    mr_unit_t *unit = mr_roster_find (&roster, stage, slot);
    ck_assert_ptr_nonnull (unit);
    return unit;
}

static mr_policy_state_t
state_of (const char *stage, int slot)
{
    return worker (stage, slot)->policy.state;
}

static void
add (const mr_job_t *job)
{
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_jobs_add (&jobs, job, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
}

static mr_job_t
job_of (mr_job_kind_t kind, const char *stage)
{
    mr_job_t job = {.kind = kind, .slot = -1, .sign = '='};
    snprintf (job.stage, sizeof job.stage, "%s", stage);
    return job;
}

static void
run (void)
{
    now_ns += MR_NS_PER_MS;
    mr_jobs_run (&jobs, now_ns);
}

/* Its process is gone. One that is wanted has a new one, which is ready. */
static void
let_go (const char *stage, int slot)
{
    mr_unit_t *unit = worker (stage, slot);
    mr_policy_action_t action = mr_policy_exited (&unit->policy, &plan.limits, 0, 0, now_ns);
    if (action == MR_POLICY_SPAWN) {
        unit->life++;
        ck_assert_int_eq (mr_policy_step (&unit->policy, &plan.limits, MR_POLICY_READY, now_ns),
                          MR_POLICY_NONE);
    } else {
        mr_child_release (&unit->child);
    }
}

START_TEST (test_a_restart_rolls_and_touches_the_next_worker_when_the_one_before_is_back)
{
    begin ();
    mr_job_t restart = job_of (MR_JOB_RESTART, "processor");
    add (&restart);
    run ();
    ck_assert_int_eq (state_of ("processor", 0), MR_POLICY_DRAINING);
    ck_assert_int_eq (state_of ("processor", 1), MR_POLICY_RUNNING);
    run ();
    ck_assert_uint_eq (worker ("processor", 1)->life, 1);
    let_go ("processor", 0);
    run ();
    ck_assert_int_eq (state_of ("processor", 0), MR_POLICY_RUNNING);
    ck_assert_int_eq (state_of ("processor", 1), MR_POLICY_DRAINING);
    ck_assert_int_eq (done_count, 0);
    let_go ("processor", 1);
    run ();
    ck_assert_int_eq (done_count, 1);
    ck_assert_int_eq (done[0].code, MR_EXIT_OK);
    ck_assert_uint_eq (worker ("ingest", 0)->life, 1);
    end ();
}
END_TEST

START_TEST (test_a_restart_ends_at_a_worker_that_does_not_come_back_and_spares_the_others)
{
    begin ();
    mr_job_t restart = job_of (MR_JOB_RESTART, "processor");
    add (&restart);
    run ();
    mr_unit_t *first = worker ("processor", 0);
    ck_assert_int_eq (mr_policy_exited (&first->policy, &plan.limits, 0, 0, now_ns),
                      MR_POLICY_SPAWN);
    first->last_code = MR_EXIT_CONFIG;
    snprintf (first->reason, sizeof first->reason, "bad file");
    (void)mr_policy_exited (&first->policy, &plan.limits, MR_EXIT_CONFIG, 0, now_ns);
    ck_assert_int_eq (first->policy.state, MR_POLICY_GIVEN_UP);
    run ();
    ck_assert_int_eq (done_count, 1);
    ck_assert_int_eq (done[0].code, MR_EXIT_CONFIG);
    ck_assert_str_eq (done[0].text, "processor.0 does not start: bad file");
    ck_assert_int_eq (state_of ("processor", 1), MR_POLICY_RUNNING);
    ck_assert_uint_eq (worker ("processor", 1)->life, 1);
    end ();
}
END_TEST

START_TEST (test_jobs_of_one_stage_wait_for_one_another_and_not_for_those_of_others)
{
    begin ();
    mr_job_t first = job_of (MR_JOB_RESTART, "exporter");
    mr_job_t second = job_of (MR_JOB_RESTART, "exporter");
    mr_job_t other = job_of (MR_JOB_RESTART, "ingest");
    first.request = 1;
    second.request = 2;
    other.request = 3;
    add (&first);
    add (&second);
    add (&other);
    run ();
    ck_assert_int_eq (state_of ("exporter", 0), MR_POLICY_DRAINING);
    ck_assert_int_eq (state_of ("ingest", 0), MR_POLICY_DRAINING);
    let_go ("ingest", 0);
    run ();
    ck_assert_int_eq (done_count, 1);
    ck_assert_int_eq (done[0].request, 3);
    let_go ("exporter", 0);
    run (); /* the second begins */
    ck_assert_int_eq (done_count, 2);
    ck_assert_int_eq (done[1].request, 1);
    ck_assert_int_eq (state_of ("exporter", 0), MR_POLICY_DRAINING);
    let_go ("exporter", 0);
    run ();
    ck_assert_int_eq (done_count, 3);
    ck_assert_uint_eq (worker ("exporter", 0)->life, 3);
    end ();
}
END_TEST

START_TEST (test_down_goes_along_the_flow_and_ends_all_else)
{
    begin ();
    mr_error_t err;
    mr_job_t restart = job_of (MR_JOB_RESTART, "exporter");
    mr_job_t down = job_of (MR_JOB_DOWN, "");
    add (&restart);
    run ();
    add (&down);
    ck_assert_int_eq (done_count, 1);
    ck_assert (done[0].ended);
    ck_assert_int_eq (done[0].code, MR_EXIT_TEMPORARY);
    ck_assert_int_eq (mr_jobs_add (&jobs, &restart, &err), MR_AGAIN);
    ck_assert_str_eq (err.text, "the chain is going down");
    run ();
    ck_assert_int_eq (state_of ("ingest", 0), MR_POLICY_DRAINING);
    ck_assert_int_eq (state_of ("processor", 0), MR_POLICY_RUNNING);
    let_go ("ingest", 0);
    run ();
    ck_assert_int_eq (state_of ("processor", 0), MR_POLICY_DRAINING);
    ck_assert_int_eq (state_of ("processor", 1), MR_POLICY_DRAINING);
    let_go ("processor", 1);
    run ();
    ck_assert (worker ("exporter", 0)->policy.wanted); /* of its restart: its turn is to come */
    let_go ("processor", 0);
    run ();
    ck_assert (!worker ("exporter", 0)->policy.wanted);
    let_go ("exporter", 0);
    run ();
    ck_assert_int_eq (done_count, 2);
    ck_assert_int_eq (done[1].kind, MR_JOB_DOWN);
    ck_assert_int_eq (done[1].code, MR_EXIT_OK);
    end ();
}
END_TEST

START_TEST (test_a_second_down_joins_the_first_and_both_are_told)
{
    begin ();
    mr_job_t first = job_of (MR_JOB_DOWN, "");
    mr_job_t second = job_of (MR_JOB_DOWN, "");
    first.request = 1;
    second.request = 2;
    add (&first);
    run ();
    int64_t deadline_ns = worker ("ingest", 0)->policy.deadline_ns;
    ck_assert_int_gt (deadline_ns, 0);
    add (&second);
    run ();
    ck_assert_int_eq (worker ("ingest", 0)->policy.deadline_ns, deadline_ns);
    second.now = true;
    second.request = 3;
    add (&second);
    run ();
    ck_assert_int_eq (worker ("ingest", 0)->policy.deadline_ns, 0); /* killed: no more time */
    let_go ("ingest", 0);
    run ();
    let_go ("processor", 0);
    let_go ("processor", 1);
    run ();
    let_go ("exporter", 0);
    run ();
    ck_assert_int_eq (done_count, 3);
    end ();
}
END_TEST

START_TEST (test_down_shares_its_time_and_leaves_each_stage_a_part)
{
    begin ();
    mr_job_t down = job_of (MR_JOB_DOWN, "");
    add (&down);
    run ();
    int64_t began_ns = mr_clock_mono_ns ();
    now_ns += 100000 * MR_NS_PER_MS; /* ingest took all of it */
    let_go ("ingest", 0);
    run ();
    int64_t deadline_ns = worker ("processor", 0)->policy.deadline_ns;
    ck_assert_int_ge (deadline_ns, began_ns + 2000 * MR_NS_PER_MS); /* a quarter of stop_timeout */
    ck_assert_int_le (deadline_ns, mr_clock_mono_ns () + 2000 * MR_NS_PER_MS);
    end ();
}
END_TEST

START_TEST (test_what_a_stage_cannot_be_scaled_to_is_refused_and_changes_nothing)
{
    static const struct {
        char sign;
        int workers;
    } cases[] = {{'=', 0}, {'=', MR_SLOTS_MAX + 1}, {'-', 2}, {'+', MR_SLOTS_MAX - 1}};
    begin ();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mr_job_t scale = job_of (MR_JOB_SCALE, "processor");
        scale.sign = cases[i].sign;
        scale.workers = cases[i].workers;
        done_count = 0;
        add (&scale);
        run ();
        ck_assert_int_eq (done_count, 1);
        ck_assert_int_eq (done[0].code, MR_EXIT_USAGE);
        ck_assert_ptr_nonnull (strstr (done[0].text, "workers are not in 1 .. "));
        ck_assert_int_eq (plan.stages[1].workers, 2);
    }
    snprintf (plan.one_ingest.text, sizeof plan.one_ingest.text, "one address, one ingest");
    mr_job_t scale = job_of (MR_JOB_SCALE, "ingest");
    scale.workers = 2;
    done_count = 0;
    add (&scale);
    run ();
    ck_assert_int_eq (done[0].code, MR_EXIT_CONFIG);
    ck_assert_str_eq (done[0].text, "one address, one ingest");
    ck_assert_int_eq (plan.stages[0].workers, 1);
    end ();
}
END_TEST

START_TEST (test_scaling_down_takes_the_highest_slot_and_to_the_same_number_nobody)
{
    begin ();
    mr_job_t scale = job_of (MR_JOB_SCALE, "processor");
    scale.workers = 2;
    add (&scale);
    run ();
    ck_assert_int_eq (done_count, 1);
    ck_assert_int_eq (done[0].code, MR_EXIT_OK);
    ck_assert_int_eq (state_of ("processor", 1), MR_POLICY_RUNNING);
    scale.workers = 1;
    add (&scale);
    run ();
    ck_assert_int_eq (plan.stages[1].workers, 1);
    ck_assert_int_eq (state_of ("processor", 0), MR_POLICY_RUNNING);
    ck_assert_int_eq (state_of ("processor", 1), MR_POLICY_DRAINING);
    ck_assert_int_eq (done_count, 1);
    let_go ("processor", 1);
    run ();
    ck_assert_int_eq (done_count, 2);
    ck_assert_int_eq (done[1].code, MR_EXIT_OK);
    ck_assert_uint_eq (worker ("processor", 0)->life, 1);
    end ();
}
END_TEST

START_TEST (test_too_many_jobs_are_refused)
{
    begin ();
    mr_error_t err;
    mr_job_t restart = job_of (MR_JOB_RESTART, "processor");
    for (int i = 0; i < MR_JOBS_MAX; i++) {
        add (&restart);
    }
    ck_assert_int_eq (mr_jobs_add (&jobs, &restart, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, "too many requests are under way (128)"));
    end ();
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_restart_rolls_and_touches_the_next_worker_when_the_one_before_is_back,
        test_a_restart_ends_at_a_worker_that_does_not_come_back_and_spares_the_others,
        test_jobs_of_one_stage_wait_for_one_another_and_not_for_those_of_others,
        test_down_goes_along_the_flow_and_ends_all_else,
        test_a_second_down_joins_the_first_and_both_are_told,
        test_down_shares_its_time_and_leaves_each_stage_a_part,
        test_what_a_stage_cannot_be_scaled_to_is_refused_and_changes_nothing,
        test_scaling_down_takes_the_highest_slot_and_to_the_same_number_nobody,
        test_too_many_jobs_are_refused,
        NULL,
    };
    return mr_suite_run ("jobs", tests);
}
