#include "common/delivery/rebuild.h"

#include "common/base/crashpoint.h"
#include "common/base/seglog_walk.h"
#include "common/base/slots.h"
#include "common/delivery/filelock.h"
#include "common/delivery/spool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Which spool holds each seq above the watermark, as slot + 1; 0: none. */
typedef struct search {
    uint64_t journal;
    uint64_t after;
    int slot; /* of the spool that is read */
    uint8_t found[MR_WINDOW_RING];
} search_t;

static bool
spool_exists (const char *data_dir, int slot, char dir[PATH_MAX])
{
    mr_spool_path (data_dir, slot, dir);
    return access (dir, F_OK) == 0;
}

/* Where to begin in a spool: at the newest segment with no batch of the journal above the watermark
 * before it, so that a start takes the same time whatever the backlog. */
typedef struct beginning {
    const search_t *search;
    uint64_t position;
} beginning_t;

static mr_status_t
look_for_beginning (void *arg, const mr_seglog_segment_t *segment)
{
    beginning_t *self = arg;
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    if (!segment->sound || mr_spool_sums_decode (segment->snapshot, segment->head.snapshot_bytes,
                                                 sums, &count, NULL) != MR_OK) {
        return MR_OK;
    }
    bool below = count < MR_SPOOL_SUMS_MAX; /* else the journal may be among those forgotten */
    for (uint32_t i = 0; i < count; i++) {
        below = below && (sums[i].journal != self->search->journal ||
                          sums[i].max_seq <= self->search->after);
    }
    self->position = below ? segment->start : self->position;
    return MR_OK;
}

static mr_status_t
note_found (void *arg, const mr_seglog_frame_t *frame)
{
    search_t *search = arg;
    uint64_t seq = frame->words[MR_SPOOL_WORD_SEQ];
    if (frame->type == MR_SEGLOG_DATA && frame->words[MR_SPOOL_WORD_JOURNAL] == search->journal &&
        seq > search->after && seq - search->after <= MR_WINDOW_RING) {
        search->found[seq - search->after - 1] = (uint8_t)(search->slot + 1);
    }
    return MR_OK;
}

static mr_status_t
scan_spool (const char *dir, search_t *search, mr_error_t *err)
{
    beginning_t beginning = {.search = search};
    mr_seglog_walk_options_t walk = {.dir = dir,
                                     .headers_only = true,
                                     .visitor = {.segment = look_for_beginning, .arg = &beginning}};
    mr_seglog_walked_t walked;
    mr_status_t found = mr_seglog_walk (&walk, &walked, err);
    if (found != MR_OK) {
        return found == MR_CLOSED ? MR_OK : found;
    }
    mr_seglog_reader_options_t options = {
        .dir = dir, .position = beginning.position, .headers_only = true};
    return mr_seglog_each (&options, note_found, search, err);
}

/* Words are written before the file has its name, so that no exporter sees half a window. */
static mr_status_t
fill (mr_rebuild_t *rebuild, const search_t *search, mr_window_t *window)
{
    for (uint64_t seq = rebuild->info.watermark + 1; seq < rebuild->info.next_seq; seq++) {
        uint8_t slot = search->found[seq - rebuild->info.watermark - 1];
        if (slot > 0 || seq > rebuild->info.top_seq) {
            mr_window_mark_done (window, seq, slot > 0 ? (uint8_t)(slot - 1) : MR_WINDOW_INGEST);
        } else {
            mr_window_send (window, seq);
        }
        rebuild->found += slot > 0 ? 1 : 0;
        rebuild->missing += slot == 0 && seq <= rebuild->info.top_seq ? 1 : 0;
    }
    return MR_OK;
}

/* No exporter has a window of this slot mapped, then: none can claim a batch of the journal, and
 * what the spools hold of it stays as it is. */
static mr_status_t
lock_out (const mr_rebuild_t *rebuild, int *ret_fd, mr_error_t *err)
{
    char path[PATH_MAX];
    const mr_filelock_options_t options =
        mr_filelock_mapped (rebuild->data_dir, rebuild->slot, false, path);
    mr_status_t status = mr_filelock_take (&options, ret_fd, err);
    if (status != MR_OK) {
        mr_error_prefix (err, "the window is gone; exporters that still use it must let go of it");
    }
    return status;
}

static mr_status_t
scan_all (const char *data_dir, search_t *search, mr_error_t *err)
{
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        char dir[PATH_MAX];
        if (spool_exists (data_dir, slot, dir)) {
            search->slot = slot;
            mr_status_t status = scan_spool (dir, search, err);
            if (status != MR_OK) {
                return status;
            }
        }
    }
    return MR_OK;
}

static mr_status_t
check_span (const mr_journal_info_t *info, mr_error_t *err)
{
    if (info->next_seq - info->watermark > MR_WINDOW_RING) {
        mr_error_set (err,
                      "the journal holds %llu batches that are not settled, more than a window",
                      (unsigned long long)(info->next_seq - info->watermark));
        return MR_INVALID;
    }
    return MR_OK;
}

static mr_status_t
make_anew (mr_rebuild_t *rebuild, mr_window_t **ret_window, mr_error_t *err)
{
    const mr_journal_info_t *info = &rebuild->info;
    int fd = -1;
    search_t *search = calloc (1, sizeof *search);
    if (search == NULL) {
        return mr_error_errno (err, "window");
    }
    search->journal = info->id;
    search->after = info->watermark;
    mr_status_t status = check_span (info, err);
    if (status == MR_OK) { /* before exporters are waited for, who would not let go of it */
        status = mr_window_keep (rebuild->path, info->id, err);
    }
    if (status == MR_OK && info->top_seq > 0 && !mr_window_of_another_start (rebuild->path)) {
        status = lock_out (rebuild, &fd, err);
    }
    if (status == MR_OK && info->top_seq > 0) {
        status = scan_all (rebuild->data_dir, search, err);
    }
    mr_window_t *window = NULL;
    if (status == MR_OK) {
        MR_CRASH_POINT ("rebuild.spools.read");
        status = mr_window_prepare (rebuild->path, info->id, info->watermark, &window, err);
    }
    if (status == MR_OK) {
        MR_CRASH_POINT ("rebuild.window.made");
        status = fill (rebuild, search, window);
    }
    if (status == MR_OK) {
        status = mr_window_install (window, err);
    }
    mr_filelock_release (fd);
    free (search);
    if (status != MR_OK) {
        mr_window_close (&window);
        return status;
    }
    *ret_window = window;
    return MR_OK;
}

/* What was appended, for the window has it, and is not in the journal any more. Numbers that were
 * skipped, and batches that were given up, are ingest's own. */
static mr_status_t
note_gone (mr_rebuild_t *rebuild, const mr_window_t *window, uint64_t top, mr_journal_t *journal,
           mr_error_t *err)
{
    uint64_t batches = 0;
    const mr_journal_info_t *info = &rebuild->info;
    uint64_t from = info->gone_seq > info->sure_seq ? info->gone_seq : info->sure_seq;
    for (uint64_t seq = from + 1; seq <= top && seq - from <= MR_WINDOW_RING; seq++) {
        mr_window_word_t word = mr_window_load (window, seq);
        if (word.seq == seq && word.state != MR_WINDOW_NEVER &&
            (word.state != MR_WINDOW_DONE || word.slot != MR_WINDOW_INGEST)) {
            rebuild->damaged = seq;
            batches++;
        }
    }
    return batches > 0 ? mr_journal_miss (journal, rebuild->damaged, batches, err) : MR_OK;
}

mr_status_t
mr_rebuild_open (mr_rebuild_t *rebuild, mr_journal_t *journal, mr_window_t **ret_window,
                 mr_error_t *err)
{
    rebuild->info = mr_journal_info (journal);
    mr_status_t status = mr_window_open (rebuild->path, rebuild->info.id, ret_window, err);
    if (status != MR_OK && status != MR_CLOSED) {
        return status;
    }
    uint64_t top = status == MR_OK ? mr_window_top (*ret_window) : 0;
    rebuild->made = status == MR_CLOSED;
    rebuild->damaged = 0;
    if (!rebuild->made) {
        status = note_gone (rebuild, *ret_window, top, journal, err);
    }
    if (!rebuild->made && status != MR_OK) {
        mr_window_close (ret_window);
        return status;
    }
    mr_journal_skip (journal, rebuild->made ? UINT64_MAX : top);
    rebuild->info = mr_journal_info (journal);
    return rebuild->made ? make_anew (rebuild, ret_window, err) : MR_OK;
}
