#include "tests/support/chain_kit.h"

#include "tests/support/delivery_kit.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { RECORD_BYTES = 64 };

static mr_error_t err;

void
mr_chain_open (mr_chain_t *self)
{
    char path[PATH_MAX];
    snprintf (self->data_dir, sizeof self->data_dir, "%.200s", mr_test_dir ());
    mr_journal_options_t options = {
        .data_dir = self->data_dir,
        .segment_bytes = self->journal_segment,
        .state = mr_kit_no_state,
    };
    ck_assert_msg (mr_journal_open (&options, &self->journal, &err) == MR_OK, "%s", err.text);
    snprintf (path, sizeof path, "%s/ingest.0.window", self->data_dir);
    uint64_t id = mr_journal_info (self->journal).id;
    ck_assert_int_eq (mr_window_prepare (path, id, 0, &self->window, &err), MR_OK);
    ck_assert_int_eq (mr_window_install (self->window, &err), MR_OK);
    for (int slot = 0; slot < MR_CHAIN_SPOOLS; slot++) {
        mr_spool_options_t spool = {
            .data_dir = self->data_dir, .slot = slot, .segment_bytes = self->spool_segment};
        mr_status_t status = mr_spool_open (&spool, &self->spools[slot], &err);
        ck_assert_msg (status == MR_OK, "%s", err.text);
    }
}

void
mr_chain_close (mr_chain_t *self)
{
    mr_journal_close (&self->journal);
    mr_window_close (&self->window);
    for (int slot = 0; slot < MR_CHAIN_SPOOLS; slot++) {
        mr_spool_close (&self->spools[slot]);
    }
}

void *
mr_chain_frame (const mr_chain_t *self, uint64_t seq, bool done, size_t *ret_bytes,
                mr_batch_t *ret_batch)
{
    static char text[MR_CHAIN_RECORDS_MOST * RECORD_BYTES];
    static uint32_t offsets[MR_CHAIN_RECORDS_MOST + 1];
    uint32_t count = done ? self->records - self->filtered : self->records;
    for (uint32_t i = 0; i < count; i++) {
        offsets[i + 1] = offsets[i] + (uint32_t)sprintf (text + offsets[i], "{\"s\":%u,\"i\":%u}\n",
                                                         (unsigned)seq, i);
    }
    mr_batch_t batch = {
        .journal = mr_journal_info (self->journal).id,
        .seq = seq,
        .attempt = 1,
        .received = self->records,
        .count = count,
        .filtered = self->records - count,
        .created_ns = 1,
        .records = text,
        .records_bytes = offsets[count],
        .offsets = offsets,
    };
    *ret_bytes = mr_batch_encoded_bytes (&batch);
    void *frame = aligned_alloc (64, (*ret_bytes + 63) / 64 * 64);
    ck_assert_ptr_nonnull (frame);
    mr_batch_encode (&batch, frame);
    ck_assert_int_eq (mr_batch_decode (frame, *ret_bytes, ret_batch, &err), MR_OK);
    return frame;
}

void
mr_chain_take_in (mr_chain_t *self, uint64_t seq)
{
    size_t bytes;
    mr_batch_t batch;
    void *frame = mr_chain_frame (self, seq, false, &bytes, &batch);
    mr_journal_entry_t entry = {.frame = frame, .frame_bytes = bytes, .batch = &batch};
    ck_assert_int_eq (mr_journal_append (self->journal, &entry, &err), MR_OK);
    mr_window_send (self->window, seq);
    free (frame);
}

uint64_t
mr_chain_finish (mr_chain_t *self, uint64_t seq, int slot)
{
    size_t bytes;
    mr_batch_t batch;
    bool released;
    void *frame = mr_chain_frame (self, seq, true, &bytes, &batch);
    mr_spool_offer_t offer = {
        .window = self->window, .frame = frame, .bytes = bytes, .batch = &batch};
    ck_assert_int_eq (mr_spool_accept (self->spools[slot], &offer, &released, &err), MR_OK);
    free (frame);
    return mr_seglog_end (mr_spool_log (self->spools[slot]));
}

void
mr_chain_commit (const mr_chain_t *self, int slot, const char *sink, mr_cursor_state_t state)
{
    char dir[PATH_MAX];
    char path[PATH_MAX + 64];
    mr_cursor_t *cursor = NULL;
    mr_cursor_dir (self->data_dir, slot, dir);
    ck_assert (mkdir (dir, 0700) == 0 || errno == EEXIST);
    snprintf (path, sizeof path, "%s/%s.cursor", dir, sink);
    ck_assert_msg (mr_cursor_open (path, &cursor, &err) == MR_OK, "%s", err.text);
    state.spool = mr_seglog_id (mr_spool_log (self->spools[slot]));
    mr_cursor_commit (cursor, &state);
    mr_cursor_close (&cursor);
}
