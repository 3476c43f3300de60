#include "stages/ingest/producers.h"

#include "common/base/hash.h"
#include "common/delivery/journal_format.h"
#include "common/wire/producer.h"

#include <stdlib.h>
#include <string.h>

enum { CHANGES_LIMIT = 8 << 20 };

#define NONE UINT32_MAX

/* One name. Those for one run that the journal holds are in a list, in the order in which they came
 * into the journal. */
typedef struct entry {
    uint64_t last;
    uint64_t journaled; /* the same, without changes that no batch in the journal holds yet */
    uint32_t older;     /* in the list; of a free entry: the next free one */
    uint32_t newer;
    bool held;          /* the journal holds it */
    uint8_t name_bytes; /* 0: free */
    char name[MR_PRODUCER_NAME_MAX_BYTES];
} entry_t;

/* A hash table of places in an array, with linear probing, at most half full. */
struct mr_producers {
    entry_t *entries;  /* half as many as there are slots */
    uint32_t *slots;   /* NONE: free */
    uint32_t capacity; /* slots; a power of two */
    uint32_t used;     /* entries that were ever used */
    uint32_t free;     /* the first that is free again */
    uint32_t limit;
    uint32_t lasting; /* names in the journal that are not for one run */
    uint32_t coming;  /* the same, of changes that are not in the journal yet */
    uint32_t once;    /* names in the list */
    uint32_t oldest;
    uint32_t newest;
    mr_buffer_t changes;
};

/* ---- the table ---- */

static uint32_t
home_of (const mr_producers_t *self, const char *name, size_t bytes)
{
    return (uint32_t)mr_hash64 (name, bytes) & (self->capacity - 1);
}

/* The slot of this name, or the free one where it belongs. */
static uint32_t
slot_of (const mr_producers_t *self, const char *name, size_t bytes)
{
    uint32_t slot = home_of (self, name, bytes);
    for (; self->slots[slot] != NONE; slot = (slot + 1) & (self->capacity - 1)) {
        const entry_t *entry = &self->entries[self->slots[slot]];
        if (entry->name_bytes == bytes && memcmp (entry->name, name, bytes) == 0) {
            break;
        }
    }
    return slot;
}

/* NULL: unknown. */
static entry_t *
find (const mr_producers_t *self, const char *name, size_t bytes)
{
    uint32_t i = self->slots[slot_of (self, name, bytes)];
    return i == NONE ? NULL : &self->entries[i];
}

/* false: no memory. */
static bool
resize (mr_producers_t *self, uint32_t capacity)
{
    uint32_t *slots = malloc (capacity * sizeof *slots);
    entry_t *entries = realloc (self->entries, capacity / 2 * sizeof *entries);
    if (entries != NULL) {
        self->entries = entries;
    }
    if (slots == NULL || entries == NULL) {
        free (slots);
        return false;
    }
    free (self->slots);
    self->slots = slots;
    self->capacity = capacity;
    memset (slots, 0xff, capacity * sizeof *slots); /* NONE */
    for (uint32_t i = 0; i < self->used; i++) {
        const entry_t *entry = &entries[i];
        if (entry->name_bytes != 0) {
            slots[slot_of (self, entry->name, entry->name_bytes)] = i;
        }
    }
    return true;
}

/* NULL: no memory. */
static entry_t *
add (mr_producers_t *self, const char *name, size_t bytes)
{
    if (self->free == NONE && self->used == self->capacity / 2 &&
        !resize (self, 2 * self->capacity)) {
        return NULL;
    }
    MR_ASSERT (self->entries != NULL);
    uint32_t i = self->free;
    if (i != NONE) {
        self->free = self->entries[i].older;
    } else {
        i = self->used++;
    }
    entry_t *entry = &self->entries[i];
    *entry = (entry_t){.older = NONE, .newer = NONE, .name_bytes = (uint8_t)bytes};
    memcpy (entry->name, name, bytes);
    self->slots[slot_of (self, name, bytes)] = i;
    return entry;
}

/* Free an entry; what stands behind its slot moves up as far as it may. */
static void
drop (mr_producers_t *self, uint32_t i)
{
    uint32_t mask = self->capacity - 1;
    entry_t *entry = &self->entries[i];
    uint32_t hole = slot_of (self, entry->name, entry->name_bytes);
    for (uint32_t slot = (hole + 1) & mask; self->slots[slot] != NONE; slot = (slot + 1) & mask) {
        const entry_t *other = &self->entries[self->slots[slot]];
        uint32_t home = home_of (self, other->name, other->name_bytes);
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            self->slots[hole] = self->slots[slot];
            hole = slot;
        }
    }
    self->slots[hole] = NONE;
    *entry = (entry_t){.older = self->free};
    self->free = i;
}

/* ---- the whole ---- */

mr_status_t
mr_producers_new (uint32_t limit, mr_producers_t **ret_producers)
{
    mr_producers_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->limit = limit;
    self->free = self->oldest = self->newest = NONE;
    mr_buffer_init (&self->changes, CHANGES_LIMIT);
    if (!resize (self, 64)) {
        mr_producers_destroy (&self);
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
        free (self->slots);
        mr_buffer_release (&self->changes);
        free (self);
        *self_p = NULL;
    }
}

/* ---- names for one run ---- */

static void
unlist (mr_producers_t *self, const entry_t *entry)
{
    *(entry->older != NONE ? &self->entries[entry->older].newer : &self->oldest) = entry->newer;
    *(entry->newer != NONE ? &self->entries[entry->newer].older : &self->newest) = entry->older;
    self->once--;
}

static void
list_as_newest (mr_producers_t *self, entry_t *entry)
{
    uint32_t i = (uint32_t)(entry - self->entries);
    entry->older = self->newest;
    entry->newer = NONE;
    *(self->newest != NONE ? &self->entries[self->newest].newer : &self->oldest) = i;
    self->newest = i;
    self->once++;
}

/* How many names for one run are kept: the places that the others leave, and some in any case. */
static uint32_t
room_for_once (const mr_producers_t *self)
{
    uint32_t least = self->limit < MR_PRODUCERS_ONCE_MIN ? self->limit : MR_PRODUCERS_ONCE_MIN;
    uint32_t left = self->lasting < self->limit ? self->limit - self->lasting : 0;
    return left > least ? left : least;
}

/* Forget the oldest; one that has a change on its way into the journal comes again with it. */
static void
forget_oldest (mr_producers_t *self)
{
    uint32_t i = self->oldest;
    entry_t *entry = &self->entries[i];
    bool coming = entry->last != entry->journaled;
    unlist (self, entry);
    entry->held = false;
    if (!coming) {
        drop (self, i);
    }
}

/* The one way in which what the journal holds changes: the same for a batch that it has taken just
 * now and for one that is read from it, so that both lives remember the same. */
static void
enter (mr_producers_t *self, entry_t *entry, uint64_t last)
{
    if (mr_producer_is_once (entry->name, entry->name_bytes)) {
        if (entry->held) {
            unlist (self, entry);
        }
        list_as_newest (self, entry);
    } else if (!entry->held) {
        self->lasting++;
    }
    entry->held = true;
    entry->journaled = last;
    while (self->once > room_for_once (self)) {
        forget_oldest (self);
    }
}

/* ---- numbers ---- */

uint32_t
mr_producers_limit (const mr_producers_t *self)
{
    return self->limit;
}

uint64_t
mr_producers_last (const mr_producers_t *self, const char *name, size_t bytes)
{
    const entry_t *entry = find (self, name, bytes);
    return entry != NULL ? entry->last : 0;
}

static mr_status_t
encode (mr_buffer_t *out, const char *name, size_t bytes, uint64_t last)
{
    mr_journal_producer_t producer = {.name = name, .name_bytes = bytes, .last = last};
    return mr_journal_producer_encode (&producer, out);
}

mr_status_t
mr_producers_set (mr_producers_t *self, const char *name, size_t bytes, uint64_t last)
{
    MR_ASSERT (bytes > 0 && bytes <= MR_PRODUCER_NAME_MAX_BYTES);
    if (mr_buffer_reserve (&self->changes, 1 + bytes + sizeof last) != MR_OK) {
        return MR_AGAIN; /* no more producers in this batch */
    }
    entry_t *entry = find (self, name, bytes);
    if (entry == NULL) {
        bool lasting = !mr_producer_is_once (name, bytes);
        if (lasting && self->lasting + self->coming >= self->limit) {
            return MR_CLOSED;
        }
        entry = add (self, name, bytes);
        if (entry == NULL) {
            return MR_SYSTEM;
        }
        self->coming += lasting ? 1 : 0;
    }
    MR_ASSERT (last > entry->last);
    entry->last = last;
    return encode (&self->changes, name, bytes, last);
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
    size_t position = 0;
    mr_journal_producer_t change;
    while (mr_journal_producer_next (self->changes.data, self->changes.size, &position, &change) ==
           MR_OK) {
        entry_t *entry = find (self, change.name, change.name_bytes);
        MR_ASSERT (entry != NULL); /* what has a change here is not dropped */
        enter (self, entry, change.last);
    }
    self->coming = 0;
    mr_buffer_clear (&self->changes);
}

mr_status_t
mr_producers_save (const mr_producers_t *self, mr_buffer_t *out)
{
    mr_status_t status = MR_OK;
    for (uint32_t i = 0; status == MR_OK && i < self->used; i++) {
        const entry_t *entry = &self->entries[i];
        if (entry->held && !mr_producer_is_once (entry->name, entry->name_bytes)) {
            status = encode (out, entry->name, entry->name_bytes, entry->journaled);
        }
    }
    for (uint32_t i = self->oldest; status == MR_OK && i != NONE; i = self->entries[i].newer) {
        const entry_t *entry = &self->entries[i];
        status = encode (out, entry->name, entry->name_bytes, entry->journaled);
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
        entry_t *entry = find (self, producer.name, producer.name_bytes);
        if (entry == NULL) {
            entry = add (self, producer.name, producer.name_bytes);
        }
        if (entry == NULL) {
            return MR_SYSTEM;
        }
        entry->last = producer.last;
        enter (self, entry, producer.last);
    }
    return status == MR_CLOSED ? MR_OK : status;
}
