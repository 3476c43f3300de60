#include "stages/ingest/batcher.h"

#include "common/base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_LIMIT = 48 << 20, DEAD_LIMIT = 8 << 20 };

struct mr_batcher {
    uint32_t max_records;
    size_t max_bytes;
    mr_buffer_t records;
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
    mr_buffer_init (&self->records, RECORDS_LIMIT);
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
        mr_buffer_release (&self->records);
        mr_buffer_release (&self->dead);
        free (self->offsets);
        free (self->index);
        free (self);
        *self_p = NULL;
    }
}

uint32_t
mr_batcher_count (const mr_batcher_t *self)
{
    return self->count + self->dead_count;
}

bool
mr_batcher_full (const mr_batcher_t *self)
{
    return mr_batcher_count (self) >= self->max_records || self->records.size >= self->max_bytes ||
           self->dead.size >= DEAD_LIMIT / 2;
}

bool
mr_batcher_fits (const mr_batcher_t *self, uint32_t records, size_t bytes)
{
    return records <= MR_BATCH_MAX_RECORDS - mr_batcher_count (self) &&
           bytes + records <= RECORDS_LIMIT - self->records.size;
}

mr_status_t
mr_batcher_add (mr_batcher_t *self, const char *record, size_t bytes)
{
    MR_ASSERT (bytes > 0 && mr_batcher_fits (self, 1, bytes));
    mr_status_t status = mr_buffer_reserve (&self->records, bytes + 1);
    if (status != MR_OK) {
        return MR_SYSTEM;
    }
    char *to = self->records.data + self->records.size;
    memcpy (to, record, bytes);
    to[bytes] = '\n';
    self->records.size += bytes + 1;
    self->index[self->count] = mr_batcher_count (self);
    self->offsets[++self->count] = (uint32_t)self->records.size;
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
        .records = self->records.data,
        .records_bytes = (uint32_t)self->records.size,
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
    mr_buffer_clear (&self->records);
    self->count = 0;
    self->dead_count = 0;
    mr_buffer_clear (&self->dead);
}
