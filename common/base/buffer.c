#include "common/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
mr_buffer_init (mr_buffer_t *self, size_t limit_bytes)
{
    *self = (mr_buffer_t){.limit = limit_bytes};
}

void
mr_buffer_release (mr_buffer_t *self)
{
    free (self->data);
    *self = (mr_buffer_t){0};
}

mr_status_t
mr_buffer_reserve (mr_buffer_t *self, size_t bytes)
{
    if (bytes <= self->capacity - self->size) {
        return MR_OK;
    }
    if (bytes > self->limit - self->size) {
        return MR_INVALID;
    }
    size_t wanted = self->size + bytes;
    size_t capacity = self->capacity < 256 ? 256 : self->capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    if (capacity > self->limit) {
        capacity = self->limit;
    }
    char *data = realloc (self->data, capacity);
    if (data == NULL) {
        return MR_SYSTEM;
    }
    self->data = data;
    self->capacity = capacity;
    return MR_OK;
}

mr_status_t
mr_buffer_append (mr_buffer_t *self, const void *data, size_t bytes)
{
    if (bytes == 0) {
        return MR_OK;
    }
    mr_status_t status = mr_buffer_reserve (self, bytes);
    if (status == MR_OK) {
        memcpy (self->data + self->size, data, bytes);
        self->size += bytes;
    }
    return status;
}

mr_status_t
mr_buffer_printf (mr_buffer_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    int length = vsnprintf (NULL, 0, format, args);
    va_end (args);
    if (length < 0) {
        return MR_SYSTEM;
    }
    mr_status_t status = mr_buffer_reserve (self, (size_t)length + 1);
    if (status == MR_OK) {
        va_start (args, format);
        vsnprintf (self->data + self->size, (size_t)length + 1, format, args);
        va_end (args);
        self->size += (size_t)length;
    }
    return status;
}

void
mr_buffer_clear (mr_buffer_t *self)
{
    self->size = 0;
}
