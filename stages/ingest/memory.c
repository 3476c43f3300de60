#include "stages/ingest/memory.h"

#include "common/delivery/journal_format.h"

#include <string.h>

mr_status_t
mr_memory_init (mr_memory_t *self, uint32_t max_producers)
{
    *self = (mr_memory_t){0};
    mr_status_t status = mr_producers_new (max_producers, &self->producers);
    if (status == MR_OK) {
        status = mr_strikes_new (&self->strikes);
    }
    return status;
}

void
mr_memory_release (mr_memory_t *self)
{
    mr_producers_destroy (&self->producers);
    mr_strikes_destroy (&self->strikes);
}

/* u64 bytes of the producers' part, that part, and the strikes. */
static mr_status_t
save (void *arg, mr_buffer_t *out)
{
    const mr_memory_t *self = arg;
    uint64_t bytes = 0;
    size_t at = out->size;
    mr_status_t status = mr_buffer_append (out, &bytes, sizeof bytes);
    if (status == MR_OK) {
        status = mr_producers_save (self->producers, out);
    }
    if (status == MR_OK) {
        bytes = out->size - at - sizeof bytes;
        memcpy (out->data + at, &bytes, sizeof bytes);
        status = mr_strikes_save (self->strikes, out);
    }
    return status;
}

static mr_status_t
load (void *arg, const void *data, size_t bytes)
{
    mr_memory_t *self = arg;
    mr_journal_memory_t parts;
    mr_status_t status = mr_journal_memory_decode (data, bytes, &parts);
    if (status == MR_OK) {
        status = mr_producers_load (self->producers, parts.producers, parts.producers_bytes);
    }
    return status == MR_OK ? mr_strikes_load (self->strikes, parts.strikes, parts.strikes_bytes)
                           : status;
}

static mr_status_t
apply (void *arg, const void *trailer, size_t bytes)
{
    mr_memory_t *self = arg;
    return mr_producers_load (self->producers, trailer, bytes);
}

static mr_status_t
strike (void *arg, const uint64_t *words)
{
    mr_memory_t *self = arg;
    mr_strike_t one = {.seq = words[0],
                       .index = (uint32_t)words[1],
                       .incarnation = words[2],
                       .evidence = (uint32_t)words[3]};
    (void)mr_strikes_add (self->strikes, &one);
    return MR_OK;
}

mr_journal_state_t
mr_memory_state (mr_memory_t *self)
{
    return (mr_journal_state_t){
        .save = save, .load = load, .apply = apply, .note = strike, .arg = self};
}
