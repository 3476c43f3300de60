#include "tests/support/records.h"

#include <stdlib.h>
#include <string.h>

static void *
resize (void *old, size_t bytes)
{
    void *memory = realloc (old, bytes);
    if (memory == NULL) {
        abort ();
    }
    return memory;
}

void
mr_test_records_init (mr_test_records_t *self)
{
    *self = (mr_test_records_t){.offsets = resize (NULL, sizeof (uint32_t))};
    self->offsets[0] = 0;
    self->view.offsets = self->offsets;
}

void
mr_test_records_add (mr_test_records_t *self, const char *text, size_t bytes)
{
    self->data = resize (self->data, self->bytes + bytes + 1);
    memcpy (self->data + self->bytes, text, bytes);
    self->bytes += bytes + 1;
    self->data[self->bytes - 1] = '\n';
    uint32_t count = ++self->view.count;
    self->offsets = resize (self->offsets, (count + 1) * sizeof (uint32_t));
    self->offsets[count] = (uint32_t)self->bytes;
    self->view.data = self->data;
    self->view.offsets = self->offsets;
}

void
mr_test_records_release (mr_test_records_t *self)
{
    free (self->data);
    free (self->offsets);
    *self = (mr_test_records_t){0};
}
