/* Which segments there are: their names say where they start. */
#include "common/base/seglog_private.h"

#include <errno.h>
#include <stdlib.h>

typedef struct {
    mr_seglog_list_t *list;
    const char *suffix;
} listing_t;

bool
mr_seglog_list_add (mr_seglog_list_t *self, uint64_t start)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        uint64_t *bigger = realloc (self->starts, capacity * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        self->starts = bigger;
        self->capacity = capacity;
    }
    self->starts[self->count++] = start;
    return true;
}

static void
add_name (void *arg, const char *name)
{
    listing_t *listing = arg;
    uint64_t start;
    if (mr_seglog_name_parse (name, listing->suffix, &start) &&
        !mr_seglog_list_add (listing->list, start)) {
        listing->list->failed = true;
    }
}

static int
compare_starts (const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

mr_status_t
mr_seglog_list_load (mr_seglog_list_t *self, const mr_seglog_place_t *place, const char *suffix,
                     mr_error_t *err)
{
    listing_t listing = {.list = self, .suffix = suffix};
    self->count = 0;
    self->failed = false;
    if (place->ops->list (place->ops->context, place->dir, add_name, &listing) != 0) {
        return mr_error_errno (err, "%s: cannot list the directory", place->name);
    }
    if (self->failed) {
        errno = ENOMEM;
        return mr_error_errno (err, "%s: cannot list the directory", place->name);
    }
    if (self->count > 1) {
        qsort (self->starts, self->count, sizeof *self->starts, compare_starts);
    }
    return MR_OK;
}

void
mr_seglog_list_release (mr_seglog_list_t *self)
{
    free (self->starts);
    *self = (mr_seglog_list_t){0};
}

size_t
mr_seglog_list_at (const mr_seglog_list_t *self, uint64_t position)
{
    size_t low = 0;
    size_t high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->starts[middle] <= position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? self->count : low - 1;
}

int
mr_seglog_open_segment (const mr_file_ops_t *ops, int dir, uint64_t start, int flags)
{
    char name[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (name, start, ".seg");
    return ops->open (ops->context, dir, name, flags);
}
