#include "launcher/chaos/harm.h"

#include "common/base/clock.h"
#include "launcher/chaos/dice.h"
#include "launcher/chaos/errands.h"
#include "launcher/chaos/victims.h"
#include "launcher/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SLICE_MS = 5,
    PAUSE_MIN_MS = 20,
    PAUSE_MAX_MS = 250,
    STOP_MIN_MS = 10,
    STOP_MAX_MS = 400,
    FULL_MIN_MS = 500,
    FULL_MAX_MS = 2000,
    FULL_AT = 4, /* the deed that is a full disk in any case, where it can be */
    AGAIN_MS = 50,
    SETTLE_MS = 180000, /* the chain up again, or down */
    ROUNDS = 100
};

enum { MAX_WORKERS = MR_CHAOS_WORKERS + 1 };

struct mr_harm {
    mr_harm_options_t options;
    mr_dice_t dice;
    mr_errands_t errands;
    mr_harm_counts_t counts;
    int64_t full_until_ns; /* 0: the disk has room */
    unsigned deeds;        /* so far */
    bool ingest_gone;      /* a worker of it may be scaled away */
};

typedef bool deed_fn (mr_harm_t *self, mr_error_t *err);

static void
count_victim (void *arg, const char *name)
{
    mr_harm_t *self = arg;
    int bytes = (int)strcspn (name, ".");
    self->counts.killed++;
    for (int i = 0; i < MR_HARM_VICTIMS; i++) {
        char *stage = self->counts.victims[i].stage;
        if (stage[0] == '\0') {
            snprintf (stage, MR_WORKER_NAME_BYTES, "%.*s", bytes, name);
        }
        if (strncmp (stage, name, (size_t)bytes) == 0 && stage[bytes] == '\0') {
            self->counts.victims[i].killed++;
            return;
        }
    }
}

/* ---- time ---- */

static void
look_after (mr_harm_t *self)
{
    (void)mr_errands_look (&self->errands);
    if (self->full_until_ns > 0 && mr_clock_mono_ns () >= self->full_until_ns) {
        mr_scratch_free (self->options.scratch);
        self->full_until_ns = 0;
    }
}

bool
mr_harm_pause (mr_harm_t *self, int64_t ms)
{
    int64_t end_ns = mr_clock_mono_ns () + ms * MR_NS_PER_MS;
    for (;;) {
        look_after (self);
        if (!self->options.tick (self->options.arg)) {
            return false;
        }
        int64_t left_ns = end_ns - mr_clock_mono_ns ();
        if (left_ns <= 0) {
            return true;
        }
        int64_t slice_ns = left_ns < SLICE_MS * MR_NS_PER_MS ? left_ns : SLICE_MS * MR_NS_PER_MS;
        nanosleep (&(struct timespec){.tv_nsec = slice_ns}, NULL);
    }
}

static bool
pause_between (mr_harm_t *self, int64_t low_ms, int64_t high_ms)
{
    return mr_harm_pause (self, mr_dice_between (&self->dice, low_ms, high_ms));
}

/* Wait for all errands. False: broken off, or not in time. */
static bool
wait_errands (mr_harm_t *self)
{
    int64_t end_ns = mr_clock_mono_ns () + SETTLE_MS * MR_NS_PER_MS;
    while (mr_errands_look (&self->errands) > 0) {
        if (mr_clock_mono_ns () >= end_ns || !mr_harm_pause (self, SLICE_MS)) {
            return false;
        }
    }
    return true;
}

/* Run one command to its end; its exit code, -1: broken off. */
static int
run (mr_harm_t *self, const mr_errand_words_t *words, mr_error_t *err)
{
    if (!wait_errands (self) || mr_errands_start (&self->errands, words, NULL, err) != MR_OK ||
        !wait_errands (self)) {
        return -1;
    }
    return self->errands.code;
}

/* ---- up and down ---- */

mr_status_t
mr_harm_up (mr_harm_t *self, mr_error_t *err)
{
    mr_errand_words_t up = {{"up", "--detach", "--timeout", "60"}};
    int64_t end_ns = mr_clock_mono_ns () + SETTLE_MS * MR_NS_PER_MS;
    while (mr_clock_mono_ns () < end_ns) {
        mr_worker_info_t launcher;
        int code = run (self, &up, err);
        /* Right after a death `up` may have seen the dead one's lock. */
        if (code == MR_EXIT_OK && mr_client_launcher (self->options.plan, &launcher)) {
            return MR_OK;
        }
        mr_errands_last_words (&self->errands, err);
        if (!mr_harm_pause (self, AGAIN_MS)) {
            return MR_CLOSED;
        }
    }
    mr_error_prefix (err, "the chain does not come up");
    return MR_SYSTEM;
}

mr_status_t
mr_harm_end (mr_harm_t *self, mr_error_t *err)
{
    mr_errand_words_t scale = {{"scale"}};
    self->full_until_ns = 0;
    mr_scratch_free (self->options.scratch);
    for (int i = 0; i < self->options.plan->stage_count && i + 2 < MR_ERRAND_WORDS; i++) {
        snprintf (scale.words[i + 1], MR_ERRAND_WORD_BYTES, "%.16s=%d",
                  self->options.plan->stages[i].name, self->options.plan->stages[i].workers);
    }
    mr_status_t status = mr_harm_up (self, err);
    if (status != MR_OK) {
        return status;
    }
    int code = run (self, &scale, err);
    if (code == MR_EXIT_OK) {
        return MR_OK;
    }
    mr_errands_last_words (&self->errands, err);
    mr_error_prefix (err, "not all workers come back");
    return code < 0 && !self->options.tick (self->options.arg) ? MR_CLOSED : MR_SYSTEM;
}

mr_status_t
mr_harm_down (mr_harm_t *self, mr_error_t *err)
{
    mr_errand_words_t down = {{"down"}};
    int code = run (self, &down, err);
    if (code == MR_EXIT_OK) {
        return MR_OK;
    }
    mr_errands_last_words (&self->errands, err);
    mr_error_prefix (err, "the chain does not go down");
    return code < 0 && !self->options.tick (self->options.arg) ? MR_CLOSED : MR_SYSTEM;
}

/* ---- deeds ---- */

static bool
choose (mr_harm_t *self, char name[MR_WORKER_NAME_BYTES])
{
    mr_victims_t victims = {.count = 0};
    mr_victims_list (self->options.plan->run_dir, self->options.kill, &victims);
    uint64_t throw = mr_dice_below (&self->dice, MR_VICTIMS_MAX * UINT64_C (1000));
    if (victims.count == 0) {
        return false;
    }
    memcpy (name, victims.names[throw % (uint64_t)victims.count], MR_WORKER_NAME_BYTES);
    return true;
}

/* After a launcher died: it may have had to call the second ingest worker back. */
static mr_status_t
up_again (mr_harm_t *self, mr_error_t *err)
{
    mr_status_t status = mr_harm_up (self, err);
    if (status == MR_OK && self->ingest_gone) {
        mr_errand_words_t back = {{"scale", "", "--timeout", "60"}};
        snprintf (back.words[1], MR_ERRAND_WORD_BYTES, "ingest=%d", MR_CHAOS_WORKERS);
        (void)!mr_errands_start (&self->errands, &back, NULL, NULL);
    }
    return status;
}

static bool
do_kill (mr_harm_t *self, mr_error_t *err)
{
    char name[MR_WORKER_NAME_BYTES];
    if (!choose (self, name) || !mr_victims_signal (self->options.plan->run_dir, name, SIGKILL)) {
        return true;
    }
    count_victim (self, name);
    return strcmp (name, "launcher") != 0 || up_again (self, err) != MR_SYSTEM;
}

static bool
do_stop (mr_harm_t *self, mr_error_t *err)
{
    char name[MR_WORKER_NAME_BYTES];
    (void)err;
    if (choose (self, name) && mr_victims_signal (self->options.plan->run_dir, name, SIGSTOP)) {
        self->counts.stopped++;
        (void)pause_between (self, STOP_MIN_MS, STOP_MAX_MS);
        (void)mr_victims_signal (self->options.plan->run_dir, name, SIGCONT);
    }
    return true;
}

static bool
do_restart (mr_harm_t *self, mr_error_t *err)
{
    const mr_plan_t *plan = self->options.plan;
    mr_errand_words_t restart = {{"restart", "monitor", "--timeout", "60"}};
    int stage = (int)mr_dice_below (&self->dice, (uint64_t)plan->stage_count + 1);
    if (stage < plan->stage_count) {
        snprintf (restart.words[1], MR_ERRAND_WORD_BYTES, "%.30s", plan->stages[stage].name);
    }
    mr_status_t status = mr_errands_start (&self->errands, &restart, NULL, err);
    self->counts.restarts += status == MR_OK;
    return status != MR_SYSTEM;
}

/* A producer keeps to its slot of ingest and waits while that one is gone: it comes back at once.
 */
static bool
do_scale (mr_harm_t *self, mr_error_t *err)
{
    const mr_plan_t *plan = self->options.plan;
    mr_errand_words_t scale = {{"scale", "", "--timeout", "60"}};
    mr_errand_words_t back = scale;
    int stage = (int)mr_dice_below (&self->dice, (uint64_t)plan->stage_count);
    int workers = 1 + (int)mr_dice_below (&self->dice, MAX_WORKERS);
    bool ingest = strcmp (plan->stages[stage].name, "ingest") == 0;
    snprintf (scale.words[1], MR_ERRAND_WORD_BYTES, "%.16s=%d", plan->stages[stage].name,
              ingest ? 1 : workers);
    snprintf (back.words[1], MR_ERRAND_WORD_BYTES, "%.16s=%d", plan->stages[stage].name,
              MR_CHAOS_WORKERS);
    mr_status_t status = mr_errands_start (&self->errands, &scale, ingest ? &back : NULL, err);
    self->counts.scalings += status == MR_OK;
    self->ingest_gone = self->ingest_gone || (ingest && status == MR_OK);
    return status != MR_SYSTEM;
}

static bool
do_at_once (mr_harm_t *self, mr_error_t *err)
{
    (void)mr_victims_kill_all (self->options.plan->run_dir, count_victim, self);
    self->counts.at_once++;
    return up_again (self, err) != MR_SYSTEM;
}

static bool
do_disk_full (mr_harm_t *self, mr_error_t *err)
{
    (void)err;
    int64_t ms = mr_dice_between (&self->dice, FULL_MIN_MS, FULL_MAX_MS);
    if (self->full_until_ns == 0 && mr_scratch_fill (self->options.scratch)) {
        self->counts.disk_full++;
        self->full_until_ns = mr_clock_mono_ns () + ms * MR_NS_PER_MS;
    }
    return true;
}

static const struct {
    deed_fn *deed;
    unsigned weight;
} deeds[] = {
    {do_kill, 40}, {do_stop, 6}, {do_restart, 6}, {do_scale, 6}, {do_at_once, 1}, {do_disk_full, 2},
};

enum { DEEDS = sizeof deeds / sizeof *deeds };

mr_status_t
mr_harm_one (mr_harm_t *self, int64_t end_ns, mr_error_t *err)
{
    unsigned weights[DEEDS];
    int64_t began_ns = mr_clock_mono_ns ();
    bool everything = strcmp (self->options.kill, "all") == 0;
    for (size_t i = 0; i < DEEDS; i++) {
        weights[i] = everything || deeds[i].deed == do_kill ? deeds[i].weight : 0;
        if (deeds[i].deed == do_disk_full && self->options.scratch->small[0] == '\0') {
            weights[i] = 0;
        }
    }
    deed_fn *deed = deeds[mr_dice_choose (&self->dice, weights, DEEDS)].deed;
    if (++self->deeds == FULL_AT && weights[DEEDS - 1] > 0) {
        deed = do_disk_full; /* however short the run is, whatever the dice say */
    }
    if (!deed (self, err)) {
        return MR_SYSTEM;
    }
    int64_t now_ns = mr_clock_mono_ns ();
    int64_t pause_ms = self->options.every_ms == 0
                           ? mr_dice_between (&self->dice, PAUSE_MIN_MS, PAUSE_MAX_MS)
                           : self->options.every_ms - (now_ns - began_ns) / MR_NS_PER_MS;
    int64_t left_ms = (end_ns - now_ns) / MR_NS_PER_MS + 1;
    bool on = mr_harm_pause (self, pause_ms < left_ms ? pause_ms : left_ms);
    return on ? MR_OK : MR_CLOSED;
}

/* ---- life ---- */

static mr_status_t
check_kill (const mr_harm_options_t *options, mr_error_t *err)
{
    const mr_plan_t *plan = options->plan;
    const char *word = options->kill;
    while (strcmp (options->kill, "all") != 0) {
        char name[MR_WORKER_NAME_BYTES];
        size_t span = strcspn (word, ",");
        snprintf (name, sizeof name, "%.*s", (int)span, word);
        if (mr_plan_find (plan, name) < 0 && strcmp (name, "monitor") != 0 &&
            strcmp (name, "launcher") != 0) {
            mr_error_set (err,
                          "--kill: \"%s\": there are all, ingest, processor, metrics, exporter, "
                          "monitor and launcher",
                          name);
            return MR_INVALID;
        }
        word += span;
        if (*word++ == '\0') {
            break;
        }
    }
    return MR_OK;
}

mr_status_t
mr_harm_new (const mr_harm_options_t *options, mr_harm_t **ret_harm, mr_error_t *err)
{
    mr_status_t status = check_kill (options, err);
    if (status != MR_OK) {
        return status;
    }
    mr_harm_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "chaos");
    }
    self->options = *options;
    self->dice.state = options->seed;
    status =
        mr_errands_init (&self->errands, options->scratch->config, options->scratch->folder, err);
    if (status != MR_OK) {
        free (self);
        return status;
    }
    *ret_harm = self;
    return MR_OK;
}

void
mr_harm_destroy (mr_harm_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

/* A worker that was just starting has no lock yet; it is found in a later round, or ends because
 * its launcher did. */
bool
mr_harm_kill_all (mr_harm_t *self)
{
    mr_errands_release (&self->errands);
    int killed = 1;
    for (int round = 0; round < ROUNDS && (killed > 0 || !mr_errands_childless ()); round++) {
        killed = mr_victims_kill_all (self->options.plan->run_dir, NULL, NULL);
        (void)mr_errands_look (&self->errands);
        nanosleep (&(struct timespec){.tv_nsec = AGAIN_MS * MR_NS_PER_MS}, NULL);
    }
    return killed == 0;
}

const mr_harm_counts_t *
mr_harm_counts (const mr_harm_t *self)
{
    return &self->counts;
}
