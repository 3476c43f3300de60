#include "stages/ingest/batcher.h"

#include "common/base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_LIMIT = 48 << 20, DEAD_LIMIT = 8 << 20, HEAD = MR_BATCH_HEADER_BYTES };

struct mr_batcher {
    uint32_t max_records;
    size_t max_bytes;
    mr_buffer_t frame; /* its header's place, then the records; empty: no record yet */
    size_t expected;   /* how large a frame may become: as the last one */
    uint32_t *offsets; /* MR_BATCH_MAX_RECORDS + 1; pages are used as they are needed */
    uint32_t *index;   /* of each record among all taken; sent only beside dead ones */
    uint32_t count;
    mr_buffer_t dead;
    uint32_t dead_count;
};

mr_status_t
mr_batcher_new (uint32_t max_records, size_t max_bytes, mr_batcher_t **ret_batcher)
{
    mr_batcher_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->max_records = max_records;
    self->max_bytes = max_bytes;
    mr_buffer_init (&self->frame, MR_BATCH_MAX_BYTES);
    mr_buffer_init (&self->dead, DEAD_LIMIT);
    self->offsets = calloc (MR_BATCH_MAX_RECORDS + 1, sizeof *self->offsets);
    self->index = calloc (MR_BATCH_MAX_RECORDS, sizeof *self->index);
    if (self->offsets == NULL || self->index == NULL) {
        mr_batcher_destroy (&self);
        return MR_SYSTEM;
    }
    *ret_batcher = self;
    return MR_OK;
}

void
mr_batcher_destroy (mr_batcher_t **self_p)
{
    mr_batcher_t *self = *self_p;
    if (self != NULL) {
        mr_buffer_release (&self->frame);
        mr_buffer_release (&self->dead);
        free (self->offsets);
        free (self->index);
        free (self);
        *self_p = NULL;
    }
}

static size_t
records_bytes (const mr_batcher_t *self)
{
    return self->frame.size > 0 ? self->frame.size - HEAD : 0;
}

uint32_t
mr_batcher_count (const mr_batcher_t *self)
{
    return self->count + self->dead_count;
}

bool
mr_batcher_full (const mr_batcher_t *self)
{
    return mr_batcher_count (self) >= self->max_records ||
           records_bytes (self) >= self->max_bytes || self->dead.size >= DEAD_LIMIT / 2;
}

bool
mr_batcher_fits (const mr_batcher_t *self, uint32_t records, size_t bytes)
{
    return records <= MR_BATCH_MAX_RECORDS - mr_batcher_count (self) &&
           bytes + records <= RECORDS_LIMIT - records_bytes (self);
}

mr_status_t
mr_batcher_add (mr_batcher_t *self, const char *record, size_t bytes)
{
    MR_ASSERT (bytes > 0 && mr_batcher_fits (self, 1, bytes));
    mr_buffer_t *frame = &self->frame;
    if (frame->size == 0) {
        size_t room = self->expected > HEAD ? self->expected : HEAD;
        if (mr_buffer_reserve (frame, room) != MR_OK) {
            return MR_SYSTEM;
        }
        frame->size = HEAD;
    }
    if (mr_buffer_reserve (frame, bytes + 1) != MR_OK) {
        return MR_SYSTEM;
    }
    char *to = frame->data + frame->size;
    memcpy (to, record, bytes);
    to[bytes] = '\n';
    frame->size += bytes + 1;
    self->index[self->count] = mr_batcher_count (self);
    self->offsets[++self->count] = (uint32_t)records_bytes (self);
    return MR_OK;
}

mr_status_t
mr_batcher_add_dead (mr_batcher_t *self, mr_dead_t *dead)
{
    MR_ASSERT (mr_batcher_fits (self, 1, 0));
    dead->index = mr_batcher_count (self);
    mr_status_t status = mr_dead_append (&self->dead, dead);
    if (status == MR_OK) {
        self->dead_count++;
    }
    return status;
}

void
mr_batcher_batch (mr_batcher_t *self, mr_batch_t *ret_batch)
{
    *ret_batch = (mr_batch_t){
        .received = mr_batcher_count (self),
        .count = self->count,
        .dead = self->dead_count,
        .records = self->frame.size > 0 ? self->frame.data + HEAD : NULL,
        .records_bytes = (uint32_t)records_bytes (self),
        .offsets = self->offsets,
    };
    if (self->dead_count > 0) {
        mr_status_t status = mr_batch_set_section (ret_batch, MR_SECTION_DEAD, self->dead.data,
                                                   (uint32_t)self->dead.size);
        if (status == MR_OK) {
            status =
                mr_batch_set_section (ret_batch, MR_SECTION_INDEX, self->index, 4 * self->count);
        }
        MR_ASSERT (status == MR_OK);
    }
}

void
mr_batcher_clear (mr_batcher_t *self)
{
    mr_buffer_clear (&self->frame);
    self->count = 0;
    self->dead_count = 0;
    mr_buffer_clear (&self->dead);
}

mr_status_t
mr_batcher_encode (mr_batcher_t *self, mr_batch_t *batch, const void **ret_frame, size_t *ret_bytes)
{
    size_t bytes = mr_batch_encoded_bytes (batch);
    MR_ASSERT (bytes != 0 && batch->records_bytes == records_bytes (self));
    if (mr_buffer_reserve (&self->frame, bytes - self->frame.size) != MR_OK) {
        return MR_SYSTEM;
    }
    if (batch->records_bytes > 0) {
        batch->records = self->frame.data + HEAD; /* it may have moved */
    }
    mr_batch_encode (batch, self->frame.data);
    self->expected = bytes;
    *ret_frame = self->frame.data;
    *ret_bytes = bytes;
    return MR_OK;
}

void *
mr_batcher_take (mr_batcher_t *self)
{
    void *frame = self->frame.data;
    mr_buffer_init (&self->frame, MR_BATCH_MAX_BYTES);
    mr_batcher_clear (self);
    return frame;
}
