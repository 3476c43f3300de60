#include "launcher/job_steps.h"

#include "common/base/clock.h"
#include "common/base/slots.h"
#include "launcher/leaving.h"
#include "launcher/leftover.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GRACE_SHARE = 4, GRACE_MIN_MS = 500 };

static void say (mr_job_t *job, const char *format, ...) MR_PRINTF (2, 3);

/* Append a sentence to the job's text. */
static void
say (mr_job_t *job, const char *format, ...)
{
    size_t used = strlen (job->text);
    if (used > 0 && used + 2 < sizeof job->text) {
        job->text[used++] = '\n';
        job->text[used] = '\0';
    }
    va_list args;
    va_start (args, format);
    vsnprintf (job->text + used, sizeof job->text - used, format, args);
    va_end (args);
}

static void
blame (mr_job_t *job, const mr_unit_t *unit)
{
    int code = unit->last_signal == 0 ? unit->last_code : MR_EXIT_FAILED;
    if (job->code == MR_EXIT_OK || code == MR_EXIT_CONFIG) {
        job->code = code == MR_EXIT_CONFIG || code == MR_EXIT_TEMPORARY ? code : MR_EXIT_FAILED;
    }
    say (job, "%s does not start: %s", unit->name, unit->reason);
}

static void
tell_stage (const mr_roster_t *roster, const char *stage, int running, int wanted)
{
    char text[128];
    if (running == wanted) {
        snprintf (text, sizeof text, "%s: %d worker%s", stage, running, running == 1 ? "" : "s");
    } else {
        snprintf (text, sizeof text, "%s: %d of %d workers", stage, running, wanted);
    }
    roster->env->note (roster->env->arg, NULL, "stage", text);
}

/* The name and the slots of a position on the way up: the monitor, then the chain backwards. */
static const char *
up_stage (const mr_plan_t *plan, int position, int *ret_first, int *ret_end)
{
    *ret_first = position == 0 ? -1 : 0;
    *ret_end = position == 0 ? 0 : plan->stages[plan->stage_count - position].workers;
    return position == 0 ? "monitor" : plan->stages[plan->stage_count - position].name;
}

/* Whether waiting longer for it would tell us more. One that died on the way up has to stay for a
 * while before it counts as running. */
static bool
is_settled (const mr_unit_t *unit)
{
    int64_t ready_ns = mr_clock_mono_ns () - unit->policy.ready_ns;
    switch (unit->policy.state) {
    case MR_POLICY_RUNNING:
        return unit->policy.failures == 0 || ready_ns >= MR_POLICY_STEADY_MS * MR_NS_PER_MS;
    case MR_POLICY_GIVEN_UP:
    case MR_POLICY_STOPPED:
        return true;
    case MR_POLICY_STARTING:
    case MR_POLICY_DRAINING:
    case MR_POLICY_BACKING_OFF:
    case MR_POLICY_STATES:
        break;
    }
    return false;
}

static bool
has_given_up (const mr_roster_t *roster)
{
    for (int i = 0; i < roster->count; i++) {
        if (roster->units[i]->policy.state == MR_POLICY_GIVEN_UP) {
            return true;
        }
    }
    return false;
}

/* All stages were up once: are they still? */
static bool
up_result (mr_job_t *job, const mr_roster_t *roster)
{
    for (int i = 0; i < roster->count; i++) {
        if (roster->units[i]->policy.wanted && !is_settled (roster->units[i])) {
            return false;
        }
    }
    for (int i = 0; i < roster->count; i++) {
        if (roster->units[i]->policy.state == MR_POLICY_GIVEN_UP) {
            blame (job, roster->units[i]);
        }
    }
    return true;
}

bool
mr_job_step_up (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster)
{
    while (job->position <= plan->stage_count) {
        int first;
        int end;
        int running = 0;
        int settled = 0;
        const char *stage = up_stage (plan, job->position, &first, &end);
        for (int slot = first; slot < end; slot++) {
            mr_unit_t *unit = mr_roster_get (roster, stage, slot);
            if (unit == NULL) {
                continue;
            }
            if (!job->issued) {
                mr_unit_event (unit, NULL, MR_POLICY_START);
            }
            running += unit->policy.state == MR_POLICY_RUNNING;
            settled += unit->policy.state == MR_POLICY_RUNNING ||
                       unit->policy.state == MR_POLICY_GIVEN_UP ||
                       unit->policy.state == MR_POLICY_STOPPED;
        }
        job->issued = true;
        if (settled < end - first) {
            return false;
        }
        if (job->strict && has_given_up (roster)) {
            break; /* the result says why */
        }
        tell_stage (roster, stage, running, end - first);
        job->position++;
        job->issued = false;
    }
    return up_result (job, roster);
}

/* What is left of stop_timeout for the whole chain, but for each stage at least a part of it, so
 * that one that does not stop is not the end of those that would. */
static mr_policy_limits_t
down_limits (const mr_job_t *job, const mr_plan_t *plan, int64_t now_ns)
{
    mr_policy_limits_t limits = plan->limits;
    int64_t grace_ms = limits.stop_timeout_ms / GRACE_SHARE;
    int64_t left_ms = (job->deadline_ns - now_ns) / MR_NS_PER_MS;
    grace_ms = grace_ms < GRACE_MIN_MS ? GRACE_MIN_MS : grace_ms;
    limits.stop_timeout_ms = left_ms > grace_ms ? left_ms : grace_ms;
    return limits;
}

bool
mr_job_step_down (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns)
{
    if (!job->begun) {
        job->begun = true;
        job->deadline_ns = now_ns + plan->limits.stop_timeout_ms * MR_NS_PER_MS;
    }
    for (; job->position <= plan->stage_count; job->position++, job->issued = false) {
        int rank = job->position < plan->stage_count ? job->position : MR_UNIT_MONITOR_RANK;
        mr_policy_limits_t limits = down_limits (job, plan, now_ns);
        bool alive = false;
        for (int i = 0; i < roster->count; i++) {
            mr_unit_t *unit = roster->units[i];
            if (unit->rank != rank) {
                continue;
            }
            if (!job->issued || unit->policy.state == MR_POLICY_BACKING_OFF) {
                mr_unit_event (unit, &limits, job->now ? MR_POLICY_STOP_NOW : MR_POLICY_STOP);
            }
            alive = alive || unit->child.pidfd >= 0;
        }
        job->issued = true;
        if (alive) {
            return false;
        }
        for (int i = 0; i < roster->count; i++) {
            if (roster->units[i]->rank == rank && roster->units[i]->late) {
                say (job, "%s had to be killed: it did not stop in time", roster->units[i]->name);
            }
        }
    }
    return true;
}

/* The next slot at or after `slot` that a rolling restart is about; -2: none. */
static int
next_slot (const mr_job_t *job, const mr_plan_t *plan, const mr_roster_t *roster, int slot)
{
    int stage = mr_plan_find (plan, job->stage);
    for (; slot < MR_SLOTS_MAX; slot++) {
        const mr_unit_t *unit = mr_roster_find (roster, job->stage, slot);
        bool wanted = stage < 0 ? slot < 0 : slot >= 0 && slot < plan->stages[stage].workers;
        bool named = job->slot < 0 || slot == job->slot;
        if (named && (wanted || (unit != NULL && unit->child.pidfd >= 0))) {
            return slot;
        }
    }
    return -2;
}

bool
mr_job_step_restart (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster)
{
    if (!job->begun) {
        job->begun = true;
        job->position = -1;
    }
    for (;;) {
        int slot = job->issued ? job->position : next_slot (job, plan, roster, job->position);
        if (slot == -2) {
            return true;
        }
        job->position = slot;
        mr_unit_t *unit = mr_roster_get (roster, job->stage, slot);
        if (unit == NULL) {
            job->code = MR_EXIT_FAILED;
            say (job, "out of memory");
            return true;
        }
        if (!job->issued) {
            job->issued = true;
            job->before = (int)unit->life;
            mr_unit_event (unit, NULL, job->now ? MR_POLICY_RESTART_NOW : MR_POLICY_RESTART);
        }
        bool back = unit->policy.state == MR_POLICY_RUNNING && (int)unit->life != job->before;
        bool lost = unit->policy.state == MR_POLICY_GIVEN_UP;
        if (!back && !lost && unit->policy.state != MR_POLICY_STOPPED) {
            return false;
        }
        if (lost) {
            blame (job, unit);
            return true; /* the other workers keep running as they are */
        }
        job->issued = false;
        job->position++;
    }
}

/* Make `workers` absolute. False: it cannot be. */
static bool
scale_begin (mr_job_t *job, mr_plan_t *plan, int stage)
{
    job->begun = true;
    job->before = plan->stages[stage].workers;
    if (job->sign != '=') {
        job->workers = job->before + (job->sign == '+' ? job->workers : -job->workers);
    }
    if (job->workers < 1 || job->workers > MR_SLOTS_MAX) {
        job->code = MR_EXIT_USAGE;
        say (job, "%s: %d workers are not in 1 .. %d", job->stage, job->workers, MR_SLOTS_MAX);
        return false;
    }
    mr_error_t err;
    if (mr_plan_can_have (plan, stage, job->workers, &err) != MR_OK) {
        job->code = MR_EXIT_CONFIG;
        say (job, "%s", err.text);
        return false;
    }
    plan->stages[stage].workers = job->workers;
    return true;
}

/* Superfluous workers leave, one after another. True: none is left. */
static bool
shrink (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns)
{
    int stage = mr_plan_find (plan, job->stage);
    for (int slot = MR_SLOTS_MAX - 1; slot >= plan->stages[stage].workers; slot--) {
        mr_unit_t *unit = mr_roster_find (roster, job->stage, slot);
        if (unit != NULL && !mr_leaving_step (job, roster, unit, now_ns)) {
            return false;
        }
    }
    return true;
}

/* Superfluous workers that died, perhaps with their launcher, are not known any more: their files
 * are. One that lives was started by hand, and stays. */
static void
find_left (const mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster)
{
    char left[MR_LEFTOVER_BYTES];
    int stage = mr_plan_find (plan, job->stage);
    for (int slot = plan->stages[stage].workers; slot < MR_SLOTS_MAX; slot++) {
        mr_unit_t *unit = mr_roster_find (roster, job->stage, slot);
        bool dead = unit == NULL || unit->policy.state == MR_POLICY_STOPPED;
        if (dead && mr_leftover (plan, job->stage, slot, left)) {
            unit = mr_roster_get (roster, job->stage, slot);
            if (unit != NULL) {
                unit->finishing = true;
            }
        }
    }
}

bool
mr_job_step_finish (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns)
{
    if (!job->begun) {
        job->begun = true;
        find_left (job, plan, roster);
    }
    bool done = true;
    int stage = mr_plan_find (plan, job->stage);
    for (int slot = plan->stages[stage].workers; slot < MR_SLOTS_MAX; slot++) {
        mr_unit_t *unit = mr_roster_find (roster, job->stage, slot);
        if (unit != NULL && unit->finishing && !mr_leaving_step (job, roster, unit, now_ns)) {
            done = false;
        }
    }
    return done;
}

/* Start missing workers, all at once. True: all are settled. */
static bool
grow (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster)
{
    int stage = mr_plan_find (plan, job->stage);
    bool settled = true;
    for (int slot = 0; slot < plan->stages[stage].workers; slot++) {
        mr_unit_t *unit = mr_roster_get (roster, job->stage, slot);
        if (unit == NULL) {
            continue;
        }
        if (!job->issued) {
            unit->finishing = false;
            mr_unit_event (unit, NULL, MR_POLICY_START);
        }
        settled = settled && (unit->policy.state == MR_POLICY_RUNNING ||
                              unit->policy.state == MR_POLICY_GIVEN_UP);
    }
    job->issued = true;
    return settled;
}

bool
mr_job_step_scale (mr_job_t *job, mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns)
{
    int stage = mr_plan_find (plan, job->stage);
    if (!job->begun && !scale_begin (job, plan, stage)) {
        return true;
    }
    if (!grow (job, plan, roster) || !shrink (job, plan, roster, now_ns)) {
        return false;
    }
    if (plan->stages[stage].workers != job->workers) {
        job->code = MR_EXIT_TEMPORARY;
        say (job, "given up: %s was scaled to %d meanwhile", job->stage,
             plan->stages[stage].workers);
        return true;
    }
    bool failed = false;
    for (int slot = 0; slot < job->workers && job->code == MR_EXIT_OK; slot++) {
        const mr_unit_t *unit = mr_roster_find (roster, job->stage, slot);
        if (unit == NULL || unit->policy.state == MR_POLICY_GIVEN_UP) {
            failed = true;
            if (unit != NULL) {
                blame (job, unit);
            }
        }
    }
    if (failed && job->workers > job->before) {
        /* More than work: back to what there was, the failed ones being drained away. */
        say (job, "%s stays at %d", job->stage, job->before);
        plan->stages[stage].workers = job->before;
        job->workers = job->before;
        return shrink (job, plan, roster, now_ns);
    }
    tell_stage (roster, job->stage, plan->stages[stage].workers, plan->stages[stage].workers);
    return true;
}
