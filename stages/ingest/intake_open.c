#include "stages/ingest/intake.h"

#include "common/base/clock.h"
#include "stages/ingest/intake_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT_MS = 2000 };

static void
on_sender_room (void *arg)
{
    mr_intake_pump (arg);
}

static mr_durability_t
durability (const mr_intake_t *self)
{
    const mr_config_section_t *ingest = mr_config_section (mr_stage_config (self->stage), "ingest");
    return (mr_durability_t)mr_config_number (ingest, "durability");
}

static mr_status_t
open_journal (mr_intake_t *self, mr_error_t *err)
{
    const mr_config_t *config = mr_stage_config (self->stage);
    mr_journal_options_t options = {
        .data_dir = mr_config_text (mr_config_section (config, "pipeline"), "data_dir"),
        .slot = mr_stage_slot (self->stage),
        .segment_bytes =
            (uint64_t)mr_config_number (mr_config_section (config, "ingest"), "segment_bytes"),
        .retain_bytes =
            (uint64_t)mr_config_number (mr_config_section (config, "ingest"), "retain_bytes"),
        .retain_ms = mr_config_number (mr_config_section (config, "ingest"), "retain_for"),
        .lock_wait_ms = LOCK_WAIT_MS,
        .without_frames = durability (self) == MR_DURABILITY_MEMORY,
        .state = mr_memory_state (&self->memory),
    };
    return mr_journal_open (&options, &self->journal, err);
}

/* What became of our records stands in the exporters' spools. */
static mr_status_t
follow_spools (mr_intake_t *self, mr_error_t *err)
{
    const mr_config_section_t *pipeline =
        mr_config_section (mr_stage_config (self->stage), "pipeline");
    return mr_tally_follow (mr_config_text (pipeline, "data_dir"),
                            mr_journal_info (self->journal).id, &self->spooled) == MR_OK
               ? MR_OK
               : mr_error_errno (err, "ingest");
}
static void
on_synced (void *arg)
{
    mr_intake_t *self = arg;
    mr_intake_acknowledge (self, mr_journal_synced_seq (self->journal));
    mr_sender_noted (self->sender, mr_journal_synced_watermark (self->journal));
    mr_intake_pump (self);
}

static mr_status_t
open_sender (mr_intake_t *self, mr_error_t *err)
{
    const mr_config_section_t *ingest = mr_config_section (mr_stage_config (self->stage), "ingest");
    bool fsync = durability (self) == MR_DURABILITY_FSYNC;
    mr_sender_options_t options = {
        .stage = self->stage,
        .journal = self->journal,
        .strikes = self->memory.strikes,
        .limit = (uint32_t)mr_config_number (ingest, "window"),
        .durability = durability (self),
        .room = on_sender_room,
        .arg = self,
    };
    mr_status_t status = mr_sender_new (&options, &self->sender, err);
    if (status == MR_OK && fsync) {
        status = mr_syncer_new (mr_stage_loop (self->stage), self->journal, on_synced, self,
                                &self->syncer);
        if (status == MR_OK) {
            mr_syncer_wake (self->syncer); /* what an earlier life left unsynced */
        }
    }
    return status;
}

mr_status_t
mr_intake_new (mr_stage_t *stage, mr_intake_t **ret_intake, mr_error_t *err)
{
    mr_intake_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "ingest");
    }
    const mr_config_section_t *ingest = mr_config_section (mr_stage_config (stage), "ingest");
    self->stage = stage;
    self->enabled = true;
    self->max_record = (size_t)mr_config_number (ingest, "max_record");
    self->linger_ns = mr_config_number (ingest, "linger_ms") * MR_NS_PER_MS;
    self->spacing_ns = mr_config_number (ingest, "spacing_ms") * MR_NS_PER_MS;
    mr_status_t status = MR_OK;
    if (mr_memory_init (&self->memory, (uint32_t)mr_config_number (ingest, "max_producers")) !=
            MR_OK ||
        mr_batcher_new ((uint32_t)mr_config_number (ingest, "batch_records"),
                        (size_t)mr_config_number (ingest, "batch_bytes"),
                        &self->batcher) != MR_OK) {
        status = mr_error_errno (err, "ingest");
    }
    if (status == MR_OK) {
        status = open_journal (self, err);
    }
    if (status == MR_OK) {
        status = open_sender (self, err);
    }
    if (status == MR_OK) {
        status = follow_spools (self, err);
    }
    if (status != MR_OK) {
        mr_intake_destroy (&self);
        return status;
    }
    *ret_intake = self;
    return MR_OK;
}

void
mr_intake_destroy (mr_intake_t **self_p)
{
    mr_intake_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < self->source_count; i++) {
        self->sources[i].destroy (self->sources[i].self);
    }
    mr_syncer_destroy (&self->syncer);
    mr_tally_follower_destroy (&self->spooled);
    mr_sender_destroy (&self->sender);
    mr_journal_close (&self->journal);
    mr_batcher_destroy (&self->batcher);
    mr_memory_release (&self->memory);
    free (self);
    *self_p = NULL;
}
