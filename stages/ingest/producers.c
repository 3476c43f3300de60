#include "stages/ingest/producers.h"

#include "common/base/hash.h"
#include "common/delivery/journal_format.h"
#include "common/wire/producer.h"

#include <stdlib.h>
#include <string.h>

enum { CHANGES_LIMIT = 8 << 20 };

/* Open addressing with linear probing, at most half full; producers are never removed. */
typedef struct entry {
    uint64_t last;
    uint64_t journaled; /* the same, without changes that no batch in the journal holds yet */
    uint8_t name_bytes; /* 0: free */
    char name[MR_PRODUCER_NAME_MAX_BYTES];
} entry_t;

struct mr_producers {
    entry_t *entries;
    uint32_t capacity; /* a power of two */
    uint32_t count;
    uint32_t limit;
    mr_buffer_t changes;
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
    mr_buffer_init (&self->changes, CHANGES_LIMIT);
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
        mr_buffer_release (&self->changes);
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

uint32_t
mr_producers_limit (const mr_producers_t *self)
{
    return self->limit;
}

uint64_t
mr_producers_last (const mr_producers_t *self, const char *name, size_t bytes)
{
    return find (self->entries, self->capacity, name, bytes)->last;
}

static mr_status_t
encode (mr_buffer_t *out, const char *name, size_t bytes, uint64_t last)
{
    mr_journal_producer_t producer = {.name = name, .name_bytes = bytes, .last = last};
    return mr_journal_producer_encode (&producer, out);
}

/* The entry of a name, made where it is missing.
 *   limit  how many there may be then; MR_CLOSED beyond it */
static mr_status_t
entry_for (mr_producers_t *self, const char *name, size_t bytes, uint32_t limit,
           entry_t **ret_entry)
{
    MR_ASSERT (bytes > 0 && bytes <= MR_PRODUCER_NAME_MAX_BYTES);
    entry_t *entry = find (self->entries, self->capacity, name, bytes);
    if (entry->name_bytes == 0) {
        if (self->count >= limit) {
            return MR_CLOSED;
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
    *ret_entry = entry;
    return MR_OK;
}

mr_status_t
mr_producers_set (mr_producers_t *self, const char *name, size_t bytes, uint64_t last)
{
    if (mr_buffer_reserve (&self->changes, 1 + bytes + sizeof last) != MR_OK) {
        return MR_AGAIN; /* no more producers in this batch */
    }
    entry_t *entry = NULL;
    mr_status_t status = entry_for (self, name, bytes, self->limit, &entry);
    if (status == MR_OK) {
        status = encode (&self->changes, name, bytes, last);
    }
    if (status == MR_OK) {
        entry->last = last;
    }
    return status;
}

const void *
mr_producers_changes (const mr_producers_t *self, size_t *ret_bytes)
{
    *ret_bytes = self->changes.size;
    return self->changes.data;
}

void
mr_producers_clear_changes (mr_producers_t *self)
{
    const char *at = self->changes.data;
    const char *end = at + self->changes.size;
    while (at < end) {
        size_t bytes = (uint8_t)at[0];
        entry_t *entry = find (self->entries, self->capacity, at + 1, bytes);
        entry->journaled = entry->last;
        at += 1 + bytes + sizeof entry->last;
    }
    mr_buffer_clear (&self->changes);
}

mr_status_t
mr_producers_save (const mr_producers_t *self, mr_buffer_t *out)
{
    mr_status_t status = MR_OK;
    for (uint32_t i = 0; status == MR_OK && i < self->capacity; i++) {
        const entry_t *entry = &self->entries[i];
        if (entry->name_bytes != 0 && entry->journaled != 0) {
            status = encode (out, entry->name, entry->name_bytes, entry->journaled);
        }
    }
    return status;
}

mr_status_t
mr_producers_load (mr_producers_t *self, const void *data, size_t bytes)
{
    size_t position = 0;
    mr_journal_producer_t producer;
    mr_status_t status;
    while ((status = mr_journal_producer_next (data, bytes, &position, &producer)) == MR_OK) {
        entry_t *entry = NULL;
        status = entry_for (self, producer.name, producer.name_bytes, UINT32_MAX, &entry);
        if (status != MR_OK) {
            return status;
        }
        entry->last = producer.last;
        entry->journaled = producer.last;
    }
    return status == MR_CLOSED ? MR_OK : status;
}
