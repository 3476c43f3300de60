#include "launcher/deepsink_splice.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES_MOST = 256 << 20 };

/* What stands in the file where the rows should. NULL: it cannot be read, or is no place. */
static char *
read_region (const mr_splice_t *self, size_t bytes)
{
    char *text = malloc (bytes + 1);
    uint64_t begin = self->end - bytes;
    for (size_t used = 0; text != NULL && used < bytes;) {
        ssize_t got = pread (self->fd, text + used, bytes - used, (off_t)(begin + used));
        if (got <= 0) {
            free (text);
            return NULL;
        }
        used += (size_t)got;
    }
    return text;
}

/* The place between two rows from `high` down to `low`; -1: there is none. */
static int64_t
boundary (const char *rows, int64_t low, int64_t high)
{
    for (int64_t at = high; at >= low && at >= 0; at--) {
        if (at == 0 || rows[at - 1] == '\n') {
            return at;
        }
    }
    return -1;
}

static bool
is_twice (const mr_splice_t *self, const char *text, size_t at)
{
    size_t bytes = (size_t)self->shift;
    bool before = at >= bytes && memcmp (self->rows + at - bytes, text + at, bytes) == 0;
    bool behind = self->bytes - at >= bytes && memcmp (self->rows + at, text + at, bytes) == 0;
    return before || behind;
}

bool
mr_splice_find (const mr_splice_t *self, size_t *ret_at, bool *ret_twice)
{
    int64_t region = (int64_t)self->bytes + self->shift;
    if (region < 0 || region > BYTES_MOST || (uint64_t)region > self->end) {
        return false;
    }
    char *text = read_region (self, (size_t)region);
    if (text == NULL) {
        return false;
    }
    int64_t bytes = (int64_t)self->bytes;
    int64_t shorter = bytes < region ? bytes : region;
    int64_t first = 0;
    int64_t last = 0;
    while (first < shorter && self->rows[first] == text[first]) {
        first++;
    }
    while (last < shorter && self->rows[bytes - 1 - last] == text[region - 1 - last]) {
        last++;
    }
    int64_t at = boundary (self->rows, shorter - last, first);
    bool whole = at >= 0 && (self->shift > 0 ? text[at + self->shift - 1] == '\n'
                                             : self->rows[at - self->shift - 1] == '\n');
    if (whole) {
        *ret_at = (size_t)at;
        *ret_twice = self->shift > 0 && is_twice (self, text, (size_t)at);
    }
    free (text);
    return whole;
}

size_t
mr_splice_row (const char *rows, size_t at)
{
    size_t row = 1;
    for (size_t i = 0; i < at; i++) {
        row += rows[i] == '\n' ? 1 : 0;
    }
    return row;
}
