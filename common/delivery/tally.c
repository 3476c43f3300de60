#include "common/delivery/tally.h"

#include "common/base/hash.h"
#include "common/base/seglog_walk.h"
#include "common/base/slots.h"
#include "common/delivery/journal.h"
#include "common/delivery/journal_format.h"
#include "common/delivery/tally_spool.h"
#include "common/delivery/window.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 200, PAUSE_MS = 2 };

/* ---- the journal's side ---- */

typedef struct scan {
    mr_tally_t *tally;
    bool above;     /* a batch above the watermark was seen */
    bool overtaken; /* by retention: frames that had to be seen are gone */
    uint64_t early; /* records that were given up above it */
} scan_t;

static void
add_lost (scan_t *self, const mr_seglog_frame_t *frame)
{
    if (frame->flags == MR_JOURNAL_LOST) {
        self->tally->lost = frame->words[MR_JOURNAL_LOST_TOTAL];
        bool above = frame->words[MR_JOURNAL_LOST_SEQ] > self->tally->watermark;
        self->early += above ? frame->words[MR_JOURNAL_LOST_RECORDS] : 0;
    }
}

static mr_status_t
add_frame (void *arg, const mr_seglog_frame_t *frame)
{
    scan_t *self = arg;
    mr_tally_t *tally = self->tally;
    if (frame->type != MR_SEGLOG_DATA) {
        add_lost (self, frame);
        return MR_OK;
    }
    tally->top = frame->words[MR_JOURNAL_WORD_SEQ];
    tally->received = frame->words[MR_JOURNAL_WORD_TOTAL];
    if (tally->top <= tally->watermark) {
        tally->settled_in = tally->received;
    } else if (!self->above) {
        tally->settled_in = tally->received - frame->words[MR_JOURNAL_WORD_RECEIVED];
        self->above = true;
    }
    return MR_OK;
}

static void
note_gap (void *arg, const mr_seglog_damage_t *damage)
{
    scan_t *self = arg;
    self->overtaken = self->overtaken || damage->trimmed;
}

/* Where to begin: at the newest segment with nothing above the watermark before it, however much is
 * retained. */
typedef struct beginning {
    mr_tally_t *tally;
    uint64_t position;
    bool found;
} beginning_t;

static mr_status_t
look_for_beginning (void *arg, const mr_seglog_segment_t *segment)
{
    beginning_t *self = arg;
    mr_journal_snapshot_t snapshot;
    if (segment->sound &&
        mr_journal_snapshot_decode (segment->snapshot, segment->head.snapshot_bytes, &snapshot) ==
            MR_OK &&
        snapshot.top_seq <= self->tally->watermark) {
        self->position = segment->start + segment->head.header_bytes;
        self->found = true;
        self->tally->settled_in = snapshot.received;
        self->tally->lost = snapshot.lost;
    }
    return MR_OK;
}

static mr_status_t
scan_journal (const char *dir, mr_tally_t *tally, mr_error_t *err)
{
    beginning_t beginning = {.tally = tally};
    mr_seglog_walk_options_t walk = {.dir = dir,
                                     .headers_only = true,
                                     .visitor = {.segment = look_for_beginning, .arg = &beginning}};
    mr_seglog_walked_t walked;
    mr_status_t found = mr_seglog_walk (&walk, &walked, err);
    if (found != MR_OK) {
        return found == MR_CLOSED ? MR_AGAIN : found;
    }
    if (!beginning.found && walked.damaged_headers == 0) {
        return MR_AGAIN; /* retention has just taken what would tell */
    }
    scan_t scan = {.tally = tally};
    mr_seglog_reader_options_t options = {.dir = dir,
                                          .position = beginning.position,
                                          .headers_only = true,
                                          .report = note_gap,
                                          .arg = &scan};
    mr_status_t status = mr_seglog_each (&options, add_frame, &scan, err);
    if (status == MR_OK && scan.overtaken) {
        return MR_AGAIN;
    }
    tally->lost -= scan.early;
    tally->ahead = scan.early;
    return status;
}

/* Where the journal stands before its first frame. */
static mr_status_t
read_journal (const char *data_dir, int slot, mr_tally_t *tally, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_journal_path (data_dir, slot, dir);
    mr_journal_info_t info;
    mr_status_t status = mr_journal_peek (dir, &info, err);
    if (status == MR_OK) {
        tally->top = info.top_seq;
        tally->received = info.received;
        tally->settled_in = info.received;
        tally->lost = info.lost;
        status = scan_journal (dir, tally, err);
    }
    return status;
}

/* ---- the window's side ---- */

/* The highest seq with everything up to it settled. */
static mr_status_t
read_window (const char *data_dir, int slot, const mr_journal_info_t *info, mr_tally_t *tally,
             mr_error_t *err)
{
    char path[PATH_MAX + 32];
    snprintf (path, sizeof path, "%s/ingest.%d.window", data_dir, slot);
    mr_window_t *window = NULL;
    mr_status_t status = mr_window_open (path, info->id, &window, err);
    uint64_t seq = info->watermark;
    if (status == MR_OK) {
        seq = mr_window_base (window) > seq ? mr_window_base (window) : seq;
        seq = mr_window_settled_from (window, seq);
        tally->replayed = mr_window_replayed (window);
        tally->refused = mr_window_refused (window);
        tally->unknown = mr_window_under_way (window); /* the journal, read after it, has it */
        mr_window_close (&window);
    } else if (status == MR_CLOSED) {
        status = MR_OK; /* of another start of the machine: what the journal noted holds */
    }
    tally->watermark = seq;
    return status;
}

/* ---- one look ---- */

typedef struct look {
    mr_tally_spool_t spools[MR_SLOTS_MAX];
    int count;
} look_t;

static void
end_look (look_t *look)
{
    for (int i = 0; i < look->count; i++) {
        mr_tally_spool_close (&look->spools[i]);
    }
    look->count = 0;
}

static mr_status_t
begin_look (look_t *look, const char *data_dir, mr_tally_which_t which, mr_error_t *err)
{
    for (which.slot = 0; which.slot < MR_SLOTS_MAX; which.slot++) {
        mr_status_t status =
            mr_tally_spool_open (data_dir, &which, &look->spools[look->count], err);
        if (status == MR_OK) {
            look->count++;
        } else if (status != MR_CLOSED) {
            return status;
        }
    }
    return MR_OK;
}

/* Segments' starts were read; then the watermark; now the frames up to it. A start that holds
 * batches above the watermark cannot be used; of all there are the oldest one never does, unless
 * retention was faster. */
static mr_status_t
add_spools (look_t *look, mr_tally_t *tally, mr_error_t *err)
{
    for (int i = 0; i < look->count; i++) {
        mr_tally_spool_t *spool = &look->spools[i];
        mr_status_t status = mr_tally_spool_begin (spool, tally->watermark, err);
        mr_spool_sum_t sum = spool->start;
        if (status == MR_OK) {
            status = mr_tally_spool_add (spool, tally->watermark, &sum, err);
        }
        if (status != MR_OK) {
            return status;
        }
        tally->exported += sum.exported;
        tally->filtered += sum.filtered;
        tally->dead += sum.dead;
        tally->batches += sum.batches;
        tally->ahead += spool->above.exported + spool->above.filtered + spool->above.dead;
    }
    return MR_OK;
}

static mr_status_t
look_once (const char *data_dir, int slot, bool every, mr_tally_t *ret_tally, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_journal_path (data_dir, slot, dir);
    mr_journal_info_t info;
    mr_status_t status = mr_journal_peek (dir, &info, err);
    if (status != MR_OK) {
        return status;
    }
    look_t look = {0};
    mr_tally_t tally = {.journal = info.id, .gone = info.unknown};
    mr_tally_which_t which = {.journal = info.id, .every = every};
    status = begin_look (&look, data_dir, which, err);
    if (status == MR_OK) {
        status = read_window (data_dir, slot, &info, &tally, err);
    }
    if (status == MR_OK) {
        status = read_journal (data_dir, slot, &tally, err);
    }
    if (status == MR_OK) {
        status = add_spools (&look, &tally, err);
    }
    end_look (&look);
    if (status == MR_OK) {
        uint64_t open = tally.received - tally.settled_in; /* the spools may be later than it */
        tally.ahead = tally.ahead < open ? tally.ahead : open;
        tally.unknown = tally.unknown > tally.top ? tally.unknown : 0;
        *ret_tally = tally;
    }
    return status;
}

/* A number that changes when the log does. */
static uint64_t
state_of (const char *dir, uint16_t kind)
{
    mr_seglog_options_t options = {
        .dir = dir,
        .kind = kind,
        .read_only = true,
        .segment_bytes = MR_SEGLOG_SEGMENT_MIN,
        .max_payload_bytes = MR_BATCH_MAX_BYTES + MR_JOURNAL_TRAILER_MAX,
    };
    mr_seglog_t *log = NULL;
    mr_error_t ignored;
    uint64_t ends[2] = {0};
    if (access (dir, F_OK) == 0 && mr_seglog_open (&options, &log, &ignored) == MR_OK) {
        ends[0] = mr_seglog_first (log);
        ends[1] = mr_seglog_end (log);
    }
    mr_seglog_close (&log);
    return mr_hash64 (ends, sizeof ends);
}

static uint64_t
state_of_all (const char *data_dir, int slot)
{
    char dir[PATH_MAX];
    uint64_t states[1 + MR_SLOTS_MAX];
    mr_journal_path (data_dir, slot, dir);
    states[0] = state_of (dir, MR_JOURNAL_KIND);
    for (int i = 0; i < MR_SLOTS_MAX; i++) {
        mr_spool_path (data_dir, i, dir);
        states[1 + i] = state_of (dir, MR_SPOOL_KIND);
    }
    return mr_hash64 (states, sizeof states);
}

mr_status_t
mr_tally_read (const char *data_dir, int slot, mr_tally_t *ret_tally, mr_error_t *err)
{
    mr_status_t status = MR_AGAIN;
    uint64_t before = 0;
    for (int i = 0; i < TRIES && status == MR_AGAIN; i++) {
        if (i > 0) {
            nanosleep (&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        }
        /* The watermark may stand far behind, for one batch that somebody holds: then no new
         * segment will do. */
        bool every = i > 0;
        before = i == 1 ? state_of_all (data_dir, slot) : before;
        status = look_once (data_dir, slot, every, ret_tally, err);
    }
    if (status == MR_AGAIN && before == state_of_all (data_dir, slot)) {
        mr_error_set (err,
                      "ingest.%d: nothing moves, and the first segments of its journal, or of a "
                      "spool, are gone with batches that are not settled: put them back, nothing "
                      "proves their records without",
                      slot);
        return MR_INVALID;
    }
    if (status == MR_AGAIN) {
        mr_error_set (err, "ingest.%d moves too fast to be caught; try again", slot);
    }
    return status;
}

bool
mr_tally_balanced (const mr_tally_t *self)
{
    return self->unknown == 0 && self->gone == 0 &&
           self->settled_in == self->exported + self->filtered + self->dead + self->lost;
}

/* ---- running totals ---- */

struct mr_tally_follower {
    char data_dir[PATH_MAX];
    uint64_t journal;
    mr_tally_spool_t spools[MR_SLOTS_MAX];
    mr_spool_sum_t sums[MR_SLOTS_MAX]; /* journal 0: the spool was not opened yet */
};

mr_status_t
mr_tally_follow (const char *data_dir, uint64_t journal, mr_tally_follower_t **ret_follower)
{
    mr_tally_follower_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    snprintf (self->data_dir, sizeof self->data_dir, "%s", data_dir);
    self->journal = journal;
    *ret_follower = self;
    return MR_OK;
}

void
mr_tally_follower_destroy (mr_tally_follower_t **self_p)
{
    mr_tally_follower_t *self = *self_p;
    if (self != NULL) {
        for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
            mr_tally_spool_close (&self->spools[slot]);
        }
        free (self);
        *self_p = NULL;
    }
}

/* A spool whose segments went away under the reading is read anew from its newest one. */
static void
follow_spool (mr_tally_follower_t *self, int slot)
{
    mr_error_t err;
    for (int i = 0; i < 2; i++) {
        if (self->spools[slot].reader == NULL) {
            mr_tally_which_t which = {.slot = slot, .journal = self->journal};
            if (mr_tally_spool_open (self->data_dir, &which, &self->spools[slot], &err) != MR_OK) {
                return;
            }
            self->sums[slot] = self->spools[slot].start;
        }
        mr_spool_sum_t sum = self->sums[slot];
        if (mr_tally_spool_add (&self->spools[slot], UINT64_MAX, &sum, &err) == MR_OK) {
            self->sums[slot] = sum;
            return;
        }
        mr_tally_spool_close (&self->spools[slot]);
    }
}

mr_spool_sum_t
mr_tally_follower_read (mr_tally_follower_t *self)
{
    mr_spool_sum_t total = {.journal = self->journal};
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        follow_spool (self, slot);
        mr_spool_sum_add (&total, &self->sums[slot]);
    }
    return total;
}
