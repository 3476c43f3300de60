/* buffer: a growable run of bytes with a limit. Embedded (init/release). Not thread safe.
 *
 * Appending never fails half way: either all bytes are in, or none. Running out of memory is
 * MR_SYSTEM; passing the limit is MR_INVALID, so that bytes from outside cannot make a process grow
 * without bound. */
#ifndef MR_COMMON_BASE_BUFFER_H
#define MR_COMMON_BASE_BUFFER_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_buffer {
    char *data;  /* NULL until the first append; owned; moves when the buffer grows */
    size_t size; /* bytes in use */
    size_t capacity;
    size_t limit; /* most bytes it may ever hold */
} mr_buffer_t;

/* An empty buffer of at most limit_bytes (1 .. SIZE_MAX / 2); allocates nothing. */
void mr_buffer_init (mr_buffer_t *self, size_t limit_bytes);
void mr_buffer_release (mr_buffer_t *self);

/* Make room for `bytes` more; data + size may then be written directly and size raised. */
MR_CHECK mr_status_t mr_buffer_reserve (mr_buffer_t *self, size_t bytes);
MR_CHECK mr_status_t mr_buffer_append (mr_buffer_t *self, const void *data, size_t bytes);
MR_CHECK mr_status_t mr_buffer_printf (mr_buffer_t *self, const char *format, ...) MR_PRINTF (2, 3);

/* Forget the contents, keep the memory. */
void mr_buffer_clear (mr_buffer_t *self);

#endif
