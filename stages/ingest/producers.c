#include "stages/ingest/producers.h"

#include "common/base/hash.h"
#include "common/wire/producer.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing with linear probing, at most half full; producers are never removed. */
typedef struct entry {
    uint64_t last;
    uint8_t name_bytes; /* 0: free */
    char name[MR_PRODUCER_NAME_MAX_BYTES];
} entry_t;

struct mr_producers {
    entry_t *entries;
    uint32_t capacity; /* a power of two */
    uint32_t count;
    uint32_t limit;
};

mr_status_t
mr_producers_new (uint32_t limit, mr_producers_t **ret_producers)
{
    mr_producers_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->limit = limit;
    self->capacity = 64;
    self->entries = calloc (self->capacity, sizeof *self->entries);
    if (self->entries == NULL) {
        free (self);
        return MR_SYSTEM;
    }
    *ret_producers = self;
    return MR_OK;
}

void
mr_producers_destroy (mr_producers_t **self_p)
{
    mr_producers_t *self = *self_p;
    if (self != NULL) {
        free (self->entries);
        free (self);
        *self_p = NULL;
    }
}

/* The entry of this name, or the free one where it belongs. */
static entry_t *
find (entry_t *entries, uint32_t capacity, const char *name, size_t bytes)
{
    uint32_t i = (uint32_t)mr_hash64 (name, bytes) & (capacity - 1);
    while (entries[i].name_bytes != 0 &&
           (entries[i].name_bytes != bytes || memcmp (entries[i].name, name, bytes) != 0)) {
        i = (i + 1) & (capacity - 1);
    }
    return &entries[i];
}

static mr_status_t
grow (mr_producers_t *self)
{
    uint32_t capacity = 2 * self->capacity;
    entry_t *entries = calloc (capacity, sizeof *entries);
    if (entries == NULL) {
        return MR_SYSTEM;
    }
    for (uint32_t i = 0; i < self->capacity; i++) {
        const entry_t *old = &self->entries[i];
        if (old->name_bytes != 0) {
            *find (entries, capacity, old->name, old->name_bytes) = *old;
        }
    }
    free (self->entries);
    self->entries = entries;
    self->capacity = capacity;
    return MR_OK;
}

uint64_t
mr_producers_last (const mr_producers_t *self, const char *name, size_t bytes)
{
    return find (self->entries, self->capacity, name, bytes)->last;
}

mr_status_t
mr_producers_set (mr_producers_t *self, const char *name, size_t bytes, uint64_t last)
{
    MR_ASSERT (bytes > 0 && bytes <= MR_PRODUCER_NAME_MAX_BYTES);
    entry_t *entry = find (self->entries, self->capacity, name, bytes);
    if (entry->name_bytes == 0) {
        if (self->count == self->limit) {
            return MR_AGAIN;
        }
        if (2 * self->count >= self->capacity) {
            mr_status_t status = grow (self);
            if (status != MR_OK) {
                return status;
            }
            entry = find (self->entries, self->capacity, name, bytes);
        }
        entry->name_bytes = (uint8_t)bytes;
        memcpy (entry->name, name, bytes);
        self->count++;
    }
    entry->last = last;
    return MR_OK;
}
