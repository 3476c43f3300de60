#include "stages/exporter/retention.h"

#include "common/base/clock.h"
#include "common/base/log.h"

enum { FRAMES_A_CALL = 4096 };

mr_status_t
mr_retention_init (mr_retention_t *self, mr_spool_t *spool, mr_windows_t *windows, mr_error_t *err)
{
    *self = (mr_retention_t){.spool = spool, .windows = windows};
    mr_seglog_reader_options_t options = {.dir = mr_spool_dir (spool), .headers_only = true};
    return mr_seglog_reader_new (&options, &self->reader, err);
}

void
mr_retention_release (mr_retention_t *self)
{
    mr_seglog_reader_destroy (&self->reader);
}

static bool
settled_for_good (const mr_retention_t *self, const mr_seglog_frame_t *frame)
{
    return frame->type != MR_SEGLOG_DATA ||
           frame->words[MR_SPOOL_WORD_SEQ] <=
               mr_windows_watermark (self->windows, frame->words[MR_SPOOL_WORD_JOURNAL]);
}

/* Move `safe` up as far as the watermarks let it. */
static void
advance (mr_retention_t *self, uint64_t below)
{
    mr_error_t err;
    for (int i = 0; i < FRAMES_A_CALL && self->safe < below; i++) {
        if (self->next.next == 0) {
            unsigned count;
            mr_status_t status = mr_seglog_reader_next (self->reader, &self->next, 1, &count, &err);
            if (status != MR_OK) {
                self->next.next = 0;
                return;
            }
        }
        if (!settled_for_good (self, &self->next)) {
            return;
        }
        self->safe = self->next.next;
        self->next.next = 0;
    }
}

void
mr_retention_trim (mr_retention_t *self, uint64_t delivered)
{
    advance (self, delivered);
    uint64_t position = delivered < self->safe ? delivered : self->safe;
    mr_error_t err;
    if (mr_seglog_trim (mr_spool_log (self->spool), position, mr_clock_wall_ns (), NULL, &err) !=
        MR_OK) {
        mr_log_debug ("%s", err.text);
    }
}
