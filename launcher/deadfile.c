#include "launcher/deadfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 256 };

struct mr_deadfile {
    char dir[PATH_MAX];
    json_t *rows;    /* array */
    json_t *handled; /* object: id -> what */
    int fd;          /* of `handled`, opened when it is first written */
};

static bool
is_rows (const char *name)
{
    size_t bytes = strlen (name);
    return bytes > 6 && strcmp (name + bytes - 6, ".jsonl") == 0;
}

static int
select_rows (const struct dirent *entry)
{
    return is_rows (entry->d_name) ? 1 : 0;
}

typedef void line_fn (mr_deadfile_t *self, char *line, size_t bytes);

static mr_status_t
each_line (mr_deadfile_t *self, const char *name, line_fn *fn, mr_error_t *err)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf (path, sizeof path, "%s/%s", self->dir, name);
    FILE *file = fopen (path, "re");
    if (file == NULL) {
        return errno == ENOENT ? MR_OK : mr_error_errno (err, "cannot read %s", path);
    }
    char *line = NULL;
    size_t room = 0;
    for (ssize_t bytes; (bytes = getline (&line, &room, file)) > 0;) {
        if (line[bytes - 1] == '\n') { /* a line without its end is still being written */
            line[bytes - 1] = '\0';
            fn (self, line, (size_t)bytes - 1);
        }
    }
    free (line);
    fclose (file);
    return MR_OK;
}

static void
take_handled (mr_deadfile_t *self, char *line, size_t bytes)
{
    (void)bytes;
    char *space = strchr (line, ' ');
    if (space != NULL) {
        *space = '\0';
        json_object_set_new (self->handled, line, json_string (space + 1));
    }
}

static void
take_row (mr_deadfile_t *self, char *line, size_t bytes)
{
    json_t *row = json_loadb (line, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const char *id = json_string_value (json_object_get (row, "id"));
    if (id != NULL && json_object_get (self->handled, id) == NULL) {
        json_array_append (self->rows, row);
    }
    json_decref (row);
}

mr_status_t
mr_deadfile_open (const char *data_dir, mr_deadfile_t **ret_file, mr_error_t *err)
{
    mr_deadfile_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "dead letters");
    }
    self->fd = -1;
    self->rows = json_array ();
    self->handled = json_object ();
    int length = snprintf (self->dir, sizeof self->dir, "%s/dead", data_dir);
    MR_ASSERT (length > 0 && length < PATH_MAX);
    mr_status_t status = each_line (self, "handled", take_handled, err);
    struct dirent **names = NULL;
    int count = scandir (self->dir, &names, select_rows, alphasort);
    for (int i = 0; i < count; i++) {
        if (status == MR_OK) {
            status = each_line (self, names[i]->d_name, take_row, err);
        }
        free (names[i]);
    }
    free (names);
    if (status != MR_OK) {
        mr_deadfile_close (&self);
        return status;
    }
    *ret_file = self;
    return MR_OK;
}

void
mr_deadfile_close (mr_deadfile_t **self_p)
{
    mr_deadfile_t *self = *self_p;
    if (self != NULL) {
        json_decref (self->rows);
        json_decref (self->handled);
        if (self->fd >= 0) {
            close (self->fd);
        }
        free (self);
        *self_p = NULL;
    }
}

json_t *
mr_deadfile_row (const mr_deadfile_t *self, size_t i)
{
    return json_array_get (self->rows, i);
}

const char *
mr_deadfile_id (const mr_deadfile_t *self, size_t i)
{
    return json_string_value (json_object_get (json_array_get (self->rows, i), "id"));
}

size_t
mr_deadfile_find (const mr_deadfile_t *self, const char *id)
{
    for (size_t i = 0; i < json_array_size (self->rows); i++) {
        if (strcmp (mr_deadfile_id (self, i), id) == 0) {
            return i;
        }
    }
    return (size_t)-1;
}

const char *
mr_deadfile_fate (const mr_deadfile_t *self, const char *id)
{
    return json_string_value (json_object_get (self->handled, id));
}

/* Behind a note that a full disk tore, ours begins a line of its own. */
static bool
is_torn (int fd)
{
    char last = '\n';
    off_t end = lseek (fd, 0, SEEK_END);
    return end > 0 && pread (fd, &last, 1, end - 1) == 1 && last != '\n';
}

mr_status_t
mr_deadfile_handled (mr_deadfile_t *self, const char *id, const char *what, mr_error_t *err)
{
    char path[PATH_MAX + 16];
    char line[LINE_BYTES];
    snprintf (path, sizeof path, "%s/handled", self->dir);
    if (self->fd < 0) {
        self->fd = open (path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    }
    if (self->fd < 0) {
        return mr_error_errno (err, "cannot write %s", path);
    }
    const char *begin = is_torn (self->fd) ? "\n" : "";
    int bytes = snprintf (line, sizeof line, "%s%s %s\n", begin, id, what);
    if (bytes >= (int)sizeof line) {
        mr_error_set (err, "%s: the id \"%.40s...\" is too long to be noted", path, id);
        return MR_INVALID;
    }
    ssize_t written = write (self->fd, line, (size_t)bytes);
    if (written >= 0 && written < bytes) {
        errno = ENOSPC; /* what a write that stops amid a line has met */
    }
    if (written != bytes || fdatasync (self->fd) != 0) {
        return mr_error_errno (err, "cannot write %s", path);
    }
    json_object_set_new (self->handled, id, json_string (what));
    return MR_OK;
}
