/* Loading: the file's text, the arena, the list of faults, and the order of the steps. */
#include "common/runtime/config_internal.h"
#include "common/runtime/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *
mr_config_alloc (mr_config_t *self, size_t bytes)
{
    mr_config_block_t *block = calloc (1, sizeof *block + bytes);
    if (block == NULL) {
        self->out_of_memory = true;
        return NULL;
    }
    block->next = self->blocks;
    self->blocks = block;
    return block->data;
}

char *
mr_config_copy (mr_config_t *self, const char *text, size_t bytes)
{
    char *copy = mr_config_alloc (self, bytes + 1);
    if (copy != NULL) {
        memcpy (copy, text, bytes);
    }
    return copy;
}

void
mr_config_destroy (mr_config_t **self_p)
{
    mr_config_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    while (self->blocks != NULL) {
        mr_config_block_t *block = self->blocks;
        self->blocks = block->next;
        free (block);
    }
    free (self);
}

mr_config_section_t *
mr_config_add_section (mr_config_t *self, const char *kind, const char *name, int line)
{
    mr_config_section_t *section = mr_config_alloc (self, sizeof *section);
    char *own_kind = mr_config_copy (self, kind, strlen (kind));
    char *own_name = mr_config_copy (self, name, strlen (name));
    if (section == NULL || own_kind == NULL || own_name == NULL) {
        return NULL;
    }
    section->config = self;
    section->kind = own_kind;
    section->name = own_name;
    section->line = line;
    if (self->last != NULL) {
        self->last->next = section;
    } else {
        self->first = section;
    }
    self->last = section;
    return section;
}

/* Keep one line of text, behind those of the same and of earlier lines. */
static void
note_add (mr_config_t *self, int line, bool warning, const char *text)
{
    self->faults += !warning;
    if (self->note_count++ >= MR_CONFIG_NOTES_MAX) {
        return;
    }
    mr_config_note_t *note = mr_config_alloc (self, sizeof *note);
    mr_error_t whole;
    if (line > 0) {
        mr_error_set (&whole, "%s:%d: %s%s", self->path, line, warning ? "warning: " : "", text);
    } else {
        mr_error_set (&whole, "%s: %s%s", self->path, warning ? "warning: " : "", text);
    }
    if (note == NULL) {
        return;
    }
    note->text = mr_config_copy (self, whole.text, strlen (whole.text));
    if (note->text == NULL) {
        return;
    }
    note->line = line;
    note->warning = warning;
    mr_config_note_t **at = &self->notes;
    while (*at != NULL && (*at)->line <= line) {
        at = &(*at)->next;
    }
    note->next = *at;
    *at = note;
}

void
mr_config_note (mr_config_t *self, int line, bool warning, const char *format, ...)
{
    char text[MR_ERROR_TEXT_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    note_add (self, line, warning, text);
}

/* Whoever comes later is to know that the value has a fault already. */
static void
mark (mr_config_place_t place)
{
    mr_config_node_t *node = place.key != NULL ? place.section->first : NULL;
    for (; node != NULL; node = node->next) {
        bool meant = node->entry.line == place.line && strcmp (node->entry.key, place.key) == 0;
        node->entry.faulty = node->entry.faulty || meant;
    }
}

static void
note_place (mr_config_t *self, mr_config_place_t place, bool warning, const char *text)
{
    if (!warning) {
        mark (place);
    }
    char title[MR_CONFIG_TITLE_BYTES];
    mr_config_note (self, place.line, warning, "%s%s%s: %s", mr_config_title (place.section, title),
                    place.key != NULL ? " " : "", place.key != NULL ? place.key : "", text);
}

void
mr_config_reject (mr_config_t *self, mr_config_place_t place, const char *format, ...)
{
    char text[MR_ERROR_TEXT_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    note_place (self, place, false, text);
}

void
mr_config_warn (mr_config_t *self, mr_config_place_t place, const char *format, ...)
{
    char text[MR_ERROR_TEXT_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    note_place (self, place, true, text);
}

/* A config that knows its file and directory. NULL: out of memory. */
static mr_config_t *
config_new (const char *path)
{
    mr_config_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    const char *slash = strrchr (path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    char *given = mr_config_copy (self, path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
    char dir[PATH_MAX];
    if (given == NULL || realpath (given[0] != '\0' ? given : ".", dir) == NULL) {
        snprintf (dir, sizeof dir, "%s", given != NULL && given[0] != '\0' ? given : ".");
    }
    size_t file_bytes = strlen (dir) + 1 + strlen (base);
    char *file = mr_config_alloc (self, file_bytes + 1);
    self->path = mr_config_copy (self, path, strlen (path));
    self->dir = mr_config_copy (self, dir, strlen (dir));
    self->file = file;
    if (self->out_of_memory) {
        mr_config_destroy (&self);
        return NULL;
    }
    snprintf (file, file_bytes + 1, "%s%s%s", dir, dir[strlen (dir) - 1] == '/' ? "" : "/", base);
    return self;
}

/* Read a whole regular file of bounded size. ret_text is owned by the caller. */
static mr_status_t
read_file (int fd, char **ret_text, size_t *ret_bytes, mr_error_t *err)
{
    struct stat info;
    if (fstat (fd, &info) != 0) {
        return mr_error_errno (err, "cannot be read");
    }
    if (!S_ISREG (info.st_mode)) {
        mr_error_set (err, S_ISDIR (info.st_mode) ? "is a directory; name the file in it"
                                                  : "is not a regular file");
        return MR_CONFIG;
    }
    char *text = malloc (MR_INI_FILE_MAX_BYTES + 1);
    if (text == NULL) {
        return mr_error_errno (err, "cannot be read");
    }
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size <= MR_INI_FILE_MAX_BYTES) {
        got = read (fd, text + size, MR_INI_FILE_MAX_BYTES + 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    if (got >= 0 && size <= MR_INI_FILE_MAX_BYTES) {
        *ret_text = text;
        *ret_bytes = size;
        return MR_OK;
    }
    if (got < 0) {
        mr_error_errno (err, "cannot be read");
    } else {
        mr_error_set (err, "is larger than 1 MiB; is it a configuration?");
    }
    free (text);
    return MR_CONFIG;
}

/* Returns MR_CONFIG when there is nothing to look at. */
static mr_status_t
load_file (mr_config_t *self, const char *path, const mr_section_schema_t *extra, mr_error_t *err)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        mr_error_errno (err, "%s: cannot be read", path);
        return MR_CONFIG;
    }
    char *text = NULL;
    size_t bytes = 0;
    mr_status_t status = read_file (fd, &text, &bytes, err);
    close (fd);
    if (status != MR_OK) {
        mr_error_prefix (err, "%s", path);
        return MR_CONFIG;
    }
    mr_config_read (self, text, bytes);
    mr_config_resolve (self, extra);
    mr_config_rules (self);
    free (text);
    return MR_OK;
}

static mr_status_t
no_memory (mr_config_t *self, mr_error_t *err)
{
    mr_config_destroy (&self);
    errno = ENOMEM;
    return mr_error_errno (err, "cannot load the configuration");
}

mr_status_t
mr_config_open (const char *path, const mr_section_schema_t *extra, mr_config_t **ret_config,
                mr_error_t *err)
{
    mr_config_t *self = config_new (path);
    mr_status_t status = self != NULL ? load_file (self, path, extra, err) : MR_OK;
    if (self == NULL || self->out_of_memory) {
        return no_memory (self, err);
    }
    if (status != MR_OK) {
        mr_config_destroy (&self);
        return status;
    }
    *ret_config = self;
    return MR_OK;
}

mr_status_t
mr_config_verdict (const mr_config_t *self, mr_error_t *err)
{
    const mr_config_note_t *note = self->notes;
    while (note != NULL && note->warning) {
        note = note->next;
    }
    if (self->faults == 0) {
        return MR_OK;
    }
    mr_error_set (err, "%s", note != NULL ? note->text : "out of memory");
    if (self->faults > 1) {
        mr_error_t first = *err;
        mr_error_set (err, "%s (and %d more: millrace check shows all)", first.text,
                      self->faults - 1);
    }
    return MR_CONFIG;
}

/* Hand over self if it has no fault. */
static mr_status_t
finish (mr_config_t *self, mr_config_t **ret_config, mr_error_t *err)
{
    mr_status_t status = mr_config_verdict (self, err);
    if (status == MR_OK) {
        *ret_config = self;
    } else {
        mr_config_destroy (&self);
    }
    return status;
}

mr_status_t
mr_config_load (const char *path, const mr_section_schema_t *extra, mr_config_t **ret_config,
                mr_error_t *err)
{
    mr_config_t *self = NULL;
    mr_status_t status = mr_config_open (path, extra, &self, err);
    return status == MR_OK ? finish (self, ret_config, err) : status;
}

mr_status_t
mr_config_load_text (const char *text, size_t bytes, const char *path, mr_config_t **ret_config,
                     mr_error_t *err)
{
    mr_config_t *self = config_new (path);
    if (self != NULL) {
        mr_config_read (self, text, bytes);
        mr_config_resolve (self, NULL);
        mr_config_rules (self);
    }
    if (self == NULL || self->out_of_memory) {
        return no_memory (self, err);
    }
    return finish (self, ret_config, err);
}

int
mr_config_report (const mr_config_t *self, mr_config_fault_fn *fn, void *arg)
{
    for (const mr_config_note_t *note = self->notes; note != NULL; note = note->next) {
        fn (note->text, arg);
    }
    if (self->note_count > MR_CONFIG_NOTES_MAX) {
        mr_error_t more;
        mr_error_set (&more, "%s: and %d more", self->path, self->note_count - MR_CONFIG_NOTES_MAX);
        fn (more.text, arg);
    }
    return self->faults;
}

int
mr_config_check (const char *path, const mr_section_schema_t *extra, mr_config_fault_fn *fn,
                 void *arg)
{
    mr_config_t *self = NULL;
    mr_error_t err;
    if (mr_config_open (path, extra, &self, &err) != MR_OK) {
        fn (err.text, arg);
        return 1;
    }
    int faults = mr_config_report (self, fn, arg);
    mr_config_destroy (&self);
    return faults;
}
