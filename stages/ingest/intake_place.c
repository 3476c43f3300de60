/* Whether the journal takes batches, and who is told. */
#include "stages/ingest/intake.h"

#include "common/base/log.h"
#include "stages/ingest/intake_private.h"

#include <stdio.h>

void
mr_intake_acknowledge (mr_intake_t *self, uint64_t seq)
{
    for (int i = 0; i < self->source_count && !self->gone; i++) {
        if (self->sources[i].durable != NULL) {
            self->sources[i].durable (self->sources[i].self, seq);
        }
    }
}

const char *
mr_intake_trouble (const mr_intake_t *self)
{
    return self->gone ? "journal gone" : "journal full";
}

static void
complain (mr_intake_t *self, const char *why)
{
    snprintf (self->full_why, sizeof self->full_why, "%.255s", why);
    mr_log_error ("%s, producers wait: %s", mr_intake_trouble (self), why);
    mr_failure_t failure = {.error_type = MR_ERR_JOURNAL_FULL, .count = 0, .message = why};
    mr_stage_callbacks (self->stage)->on_error (self->stage, "journal", &failure);
}

void
mr_intake_set_full (mr_intake_t *self, bool full, const char *why)
{
    if (self->full == full) {
        return;
    }
    self->full = full;
    if (full) {
        complain (self, why);
    } else {
        mr_log_info ("the journal takes batches again");
    }
    for (int i = 0; i < self->source_count; i++) {
        if (self->sources[i].refuse != NULL) {
            self->sources[i].refuse (self->sources[i].self, full);
        }
    }
}

void
mr_intake_look (mr_intake_t *self)
{
    mr_error_t err;
    bool gone = mr_journal_in_place (self->journal, &err) != MR_OK;
    if (gone == self->gone) {
        return;
    }
    self->gone = gone;
    if (gone && self->full) {
        complain (self, err.text);
    }
    mr_intake_set_full (self, gone, gone ? err.text : "");
    if (!gone) {
        mr_intake_acknowledge (self, mr_intake_durable (self));
    }
    mr_intake_pump (self);
}
