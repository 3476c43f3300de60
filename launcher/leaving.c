#include "launcher/leaving.h"

#include "common/base/clock.h"
#include "launcher/leftover.h"
#include "launcher/textfile.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_LOOK_MS = 1000, LOOK_MS = 5000, AGAIN_MS = 500, PATH_BYTES = PATH_MAX + 80 };

/* What keeps it, and what it said last that is an error. */
static void
tell_waiting (mr_job_t *job, const mr_roster_t *roster, const mr_unit_t *unit, int64_t now_ns)
{
    char left[MR_LEFTOVER_BYTES];
    char path[PATH_BYTES];
    char said[300] = "";
    char text[MR_LEFTOVER_BYTES + 400];
    if (now_ns < job->look_ns) {
        return;
    }
    job->look_ns = now_ns + LOOK_MS * MR_NS_PER_MS;
    if (!mr_leftover (roster->env->plan, unit->stage, unit->slot, left)) {
        return;
    }
    snprintf (path, sizeof path, "%s/%s.log", roster->env->plan->log_dir, unit->name);
    bool reason = mr_textfile_last_words (path, unit->log_at, said, sizeof said);
    snprintf (text, sizeof text, "%s waits: %s%s%s", unit->name, left, reason ? "; it said: " : "",
              said);
    roster->env->note (roster->env->arg, unit, "waiting", text);
}

static void
go (mr_job_t *job, mr_unit_t *unit, int64_t now_ns)
{
    mr_unit_event (unit, NULL, mr_leftover_may (unit->stage) ? MR_POLICY_LEAVE : MR_POLICY_STOP);
    job->look_ns = now_ns + FIRST_LOOK_MS * MR_NS_PER_MS;
}

/* There is no process. */
static bool
without_process (mr_job_t *job, const mr_roster_t *roster, mr_unit_t *unit, int64_t now_ns)
{
    char left[MR_LEFTOVER_BYTES];
    mr_policy_state_t state = unit->policy.state;
    bool finished = state == MR_POLICY_STOPPED && unit->life > 0 && unit->last_code == 0 &&
                    unit->last_signal == 0;
    bool failed = unit->finishing && state == MR_POLICY_GIVEN_UP;
    if (finished || failed || !mr_leftover (roster->env->plan, unit->stage, unit->slot, left)) {
        if (failed) {
            job->code = MR_EXIT_FAILED;
            snprintf (job->text, sizeof job->text, "%s does not start: %s", unit->name,
                      unit->reason);
        }
        unit->finishing = false;
        mr_unit_event (unit, NULL, MR_POLICY_STOP);
        return true;
    }
    if ((!unit->finishing || state == MR_POLICY_STOPPED) && now_ns >= job->look_ns) {
        unit->finishing = true;
        job->look_ns = now_ns + AGAIN_MS * MR_NS_PER_MS;
        mr_unit_event (unit, NULL, MR_POLICY_START);
    }
    return false;
}

bool
mr_leaving_step (mr_job_t *job, const mr_roster_t *roster, mr_unit_t *unit, int64_t now_ns)
{
    switch (unit->policy.state) {
    case MR_POLICY_RUNNING:
        go (job, unit, now_ns);
        return false;
    case MR_POLICY_STARTING:
        if (!mr_leftover_may (unit->stage)) {
            go (job, unit, now_ns);
        }
        return false;
    case MR_POLICY_DRAINING:
        if (unit->policy.wanted) { /* it was to come back */
            go (job, unit, now_ns);
        }
        tell_waiting (job, roster, unit, now_ns);
        return false;
    case MR_POLICY_STOPPED:
    case MR_POLICY_BACKING_OFF:
    case MR_POLICY_GIVEN_UP:
        return without_process (job, roster, unit, now_ns);
    case MR_POLICY_STATES:
        break;
    }
    return true;
}
