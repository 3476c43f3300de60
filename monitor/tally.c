#include "monitor/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
mr_tallies_init (mr_tallies_t *self)
{
    *self = (mr_tallies_t){NULL, 0};
}

void
mr_tallies_clear (mr_tallies_t *self)
{
    mr_tallies_release (self);
}

void
mr_tallies_release (mr_tallies_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->items[i].types);
    }
    free (self->items);
    mr_tallies_init (self);
}

const mr_tally_t *
mr_tallies_find (const mr_tallies_t *self, const char *key)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->items[i].key, key) == 0) {
            return &self->items[i];
        }
    }
    return NULL;
}

mr_tally_t *
mr_tallies_get (mr_tallies_t *self, const char *key)
{
    const mr_tally_t *found = mr_tallies_find (self, key);
    if (found != NULL) {
        return &self->items[found - self->items];
    }
    if (self->count == MR_TALLY_MAX_KEYS || strlen (key) >= MR_TALLY_KEY_BYTES) {
        return NULL;
    }
    mr_tally_t *items = realloc (self->items, (self->count + 1) * sizeof *items);
    if (items == NULL) {
        return NULL;
    }
    self->items = items;
    mr_tally_t *tally = &items[self->count++];
    *tally = (mr_tally_t){.count = 0};
    memcpy (tally->key, key, strlen (key) + 1);
    return tally;
}

mr_status_t
mr_tally_type (mr_tally_t *self, const char *type, uint64_t count)
{
    for (;;) {
        for (size_t i = 0; i < self->type_count; i++) {
            if (strcmp (self->types[i].name, type) == 0) {
                self->types[i].count += count;
                return MR_OK;
            }
        }
        if (self->type_count < MR_TALLY_MAX_TYPES - 1 || strcmp (type, "other") == 0) {
            break;
        }
        type = "other";
    }
    mr_tally_type_t *types = realloc (self->types, (self->type_count + 1) * sizeof *types);
    if (types == NULL) {
        return MR_SYSTEM;
    }
    self->types = types;
    mr_tally_type_t *added = &types[self->type_count++];
    added->count = count;
    snprintf (added->name, sizeof added->name, "%s", type);
    return MR_OK;
}

mr_status_t
mr_tallies_add (mr_tallies_t *self, const char *prefix, const mr_tallies_t *other)
{
    for (size_t i = 0; i < other->count; i++) {
        const mr_tally_t *from = &other->items[i];
        char key[MR_EVENT_NAME_BYTES + MR_TALLY_KEY_BYTES];
        snprintf (key, sizeof key, "%s%s%s", prefix != NULL ? prefix : "",
                  prefix != NULL ? "." : "", from->key);
        mr_tally_t *into = mr_tallies_get (self, key);
        if (into == NULL) {
            return MR_INVALID;
        }
        into->count += from->count;
        into->records += from->records;
        into->errors += from->errors;
        for (size_t j = 0; j < from->type_count; j++) {
            if (mr_tally_type (into, from->types[j].name, from->types[j].count) != MR_OK) {
                return MR_SYSTEM;
            }
        }
    }
    return MR_OK;
}
