#include "launcher/faults.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
mr_faults_release (mr_faults_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->lines[i]);
    }
    free (self->lines);
    *self = (mr_faults_t){0};
}

static bool
has_room (mr_faults_t *self)
{
    if (self->count < self->capacity) {
        return true;
    }
    size_t capacity = self->capacity > 0 ? 2 * self->capacity : 16;
    char **lines = realloc (self->lines, capacity * sizeof *lines);
    if (lines == NULL) {
        return false;
    }
    self->lines = lines;
    self->capacity = capacity;
    return true;
}

void
mr_faults_add (mr_faults_t *self, const char *line)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->lines[i], line) == 0) {
            return;
        }
    }
    char *copy = has_room (self) ? strdup (line) : NULL;
    if (copy == NULL) {
        fprintf (stderr, "%s\n", line);
        return;
    }
    self->lines[self->count++] = copy;
}

void
mr_faults_read (mr_faults_t *self, int fd)
{
    FILE *in = fdopen (dup (fd), "r");
    char *line = NULL;
    size_t room = 0;
    for (ssize_t bytes; in != NULL && (bytes = getline (&line, &room, in)) > 0;) {
        line[bytes - (line[bytes - 1] == '\n')] = '\0';
        if (line[0] != '\0') {
            mr_faults_add (self, line);
        }
    }
    free (line);
    if (in != NULL) {
        fclose (in);
    }
}

/* The line of the file that a text is about; 0: the file; LONG_MAX: something else. */
static long
line_of (const char *text, const char *path)
{
    size_t bytes = strlen (path);
    if (strncmp (text, path, bytes) != 0 || text[bytes] != ':') {
        return LONG_MAX;
    }
    return isdigit ((unsigned char)text[bytes + 1]) ? strtol (text + bytes + 1, NULL, 10) : 0;
}

void
mr_faults_print (const mr_faults_t *self, const char *path, FILE *out)
{
    long line = -1;
    for (size_t printed = 0; printed < self->count;) {
        long next = LONG_MAX;
        for (size_t i = 0; i < self->count; i++) {
            long at = line_of (self->lines[i], path);
            next = at > line && at < next ? at : next;
        }
        for (size_t i = 0; i < self->count; i++) {
            if (line_of (self->lines[i], path) == next) {
                fprintf (out, "%s\n", self->lines[i]);
                printed++;
            }
        }
        line = next;
    }
}
