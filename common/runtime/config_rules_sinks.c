/* Sinks: what their type needs and forbids, their names, and that no file has two owners. */
#include "common/runtime/config_internal.h"

#include <stdio.h>
#include <string.h>

/* Whether exporter N above 0, given the sink `path`, writes to `other`: PATH.N.EXTENSION. */
static bool
is_slot_of (const char *path, const char *other)
{
    const char *name = strrchr (path, '/');
    const char *dot = name != NULL ? strrchr (name, '.') : NULL;
    size_t stem = dot != NULL && dot > name + 1 ? (size_t)(dot - path) : strlen (path);
    if (strncmp (path, other, stem) != 0 || other[stem] != '.') {
        return false;
    }
    size_t digits = strspn (other + stem + 1, "0123456789");
    return digits > 0 && digits <= 2 && strcmp (other + stem + 1 + digits, path + stem) == 0;
}

/* A file that a sink writes; real: where links lead. */
typedef struct sink_file {
    const mr_config_section_t *sink;
    const char *real;
} sink_file_t;

typedef struct sink_files {
    mr_config_t *config;
    size_t count;
    sink_file_t files[MR_CONFIG_SINKS_MAX];
} sink_files_t;

static bool
is_below (const char *path, const char *directory)
{
    size_t bytes = strlen (directory);
    return strncmp (path, directory, bytes) == 0 && (path[bytes] == '/' || bytes == 1);
}

static void
check_other_sinks (const sink_files_t *files, const sink_file_t *file)
{
    mr_config_place_t place = mr_config_at (file->sink, "path");
    for (size_t i = 0; i < files->count; i++) {
        const sink_file_t *other = &files->files[i];
        const char *name = other->sink->name;
        int line = mr_config_at (other->sink, "path").line;
        if (strcmp (file->real, other->real) == 0) {
            mr_config_reject (files->config, place, "[sink %s] on line %d writes the same file",
                              name, line);
        } else if (is_slot_of (file->real, other->real) || is_slot_of (other->real, file->real)) {
            mr_config_reject (files->config, place,
                              "[sink %s] on line %d would write the same file with several "
                              "exporters: number N becomes part of the name",
                              name, line);
        } else if (is_below (file->real, other->real) || is_below (other->real, file->real)) {
            mr_config_reject (files->config, place,
                              "one of it and [sink %s] on line %d is a file, the other would be in "
                              "a directory of that name",
                              name, line);
        }
    }
}

static bool
ends_with (const char *text, const char *end)
{
    size_t bytes = strlen (text);
    size_t end_bytes = strlen (end);
    return bytes >= end_bytes && strcmp (text + bytes - end_bytes, end) == 0;
}

/* Names that the pipeline gives to its own files, as the first part of a path in each directory. */
static bool
is_own_in_run_dir (const char *name)
{
    return ends_with (name, ".ipc") || ends_with (name, ".lock") ||
           strncmp (name, "bus.", 4) == 0 || strncmp (name, "launcher.", 9) == 0;
}

static bool
is_own_in_data_dir (const char *name)
{
    static const char *const kinds[] = {".journal", ".window", ".spool", ".cursors", ".totals"};
    const char *dot = strchr (name, '.');
    size_t digits = dot != NULL ? strspn (dot + 1, "0123456789") : 0;
    for (size_t i = 0; digits > 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp (dot + 1 + digits, kinds[i], strlen (kinds[i])) == 0) {
            return true;
        }
    }
    return strcmp (name, "dead") == 0 || strncmp (name, "monitor.snapshot.", 17) == 0;
}

static bool
is_own_in_log_dir (const char *name)
{
    return ends_with (name, ".log") || ends_with (name, ".stderr");
}

static const struct {
    const char *key;
    bool (*is_own) (const char *name);
} own_dirs[] = {
    {"run_dir", is_own_in_run_dir},
    {"data_dir", is_own_in_data_dir},
    {"log_dir", is_own_in_log_dir},
};

static void
check_own_files (mr_config_t *self, const sink_file_t *file)
{
    const mr_config_section_t *pipeline = mr_config_section (self, "pipeline");
    mr_config_place_t place = mr_config_at (file->sink, "path");
    for (size_t i = 0; i < sizeof own_dirs / sizeof own_dirs[0]; i++) {
        const char *key = own_dirs[i].key;
        const char *path = mr_config_text (pipeline, key);
        const char *real = mr_config_sound (pipeline, key) ? mr_config_real (self, path) : NULL;
        if (real == NULL) {
            continue;
        }
        char name[256];
        snprintf (name, sizeof name, "%s",
                  is_below (file->real, real) ? file->real + strlen (real) : "");
        char *first = name + strspn (name, "/");
        first[strcspn (first, "/")] = '\0';
        if (strcmp (file->real, real) == 0 || is_below (real, file->real)) {
            mr_config_reject (self, place, "%.200s is a directory, %s of the pipeline", file->real,
                              key);
            return;
        }
        if (first[0] != '\0' && own_dirs[i].is_own (first)) {
            mr_config_reject (self, place,
                              "the pipeline itself keeps \"%s\" in its %s; choose another path",
                              first, key);
            return;
        }
    }
}

static void
check_file (sink_files_t *files, const mr_config_section_t *sink, const char *path)
{
    mr_config_t *self = files->config;
    sink_file_t file = {.sink = sink, .real = mr_config_real (self, path)};
    const char *own = mr_config_real (self, self->file);
    if (file.real == NULL || own == NULL) {
        return;
    }
    if (strcmp (file.real, own) == 0 || is_slot_of (file.real, own)) {
        mr_config_reject (self, mr_config_at (sink, "path"),
                          "this is the configuration file; choose another path");
    } else {
        check_own_files (self, &file);
    }
    check_other_sinks (files, &file);
    if (files->count < MR_CONFIG_SINKS_MAX) {
        files->files[files->count++] = file;
    }
}

/* Files are named after sinks. */
enum { SINK_NAME_MAX = 50 };

static bool
is_sink_name (const char *name)
{
    return name[0] != '\0' && strlen (name) <= SINK_NAME_MAX &&
           name[strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

static void
check_sink (sink_files_t *files, const mr_config_section_t *sink)
{
    mr_config_t *self = files->config;
    if (!is_sink_name (sink->name)) {
        mr_config_reject (self, mr_config_at (sink, NULL),
                          "not a name for a sink; at most %d of a-z 0-9 _ - are allowed",
                          SINK_NAME_MAX);
    }
    const char *path = mr_config_text (sink, "path");
    if (mr_config_is_set (sink, "type", "file") && !mr_config_is_written (sink, "path")) {
        mr_config_reject (self, mr_config_at (sink, "path"),
                          "is missing: a file sink needs a path");
    } else if (mr_config_is_set (sink, "type", "stdout") && mr_config_is_written (sink, "path")) {
        mr_config_reject (self, mr_config_at (sink, "path"),
                          "is for type = file; leave it out, or change the type");
    } else if (path != NULL) {
        check_file (files, sink, path);
    }
    if (mr_config_is_written (sink, "envelope") && mr_config_is_other (sink, "input", "records")) {
        mr_config_warn (self, mr_config_at (sink, "envelope"), "only matters for input = records");
    }
    if (mr_config_is_written (sink, "interval") && mr_config_is_other (sink, "input", "metrics")) {
        mr_config_warn (self, mr_config_at (sink, "interval"), "only matters for input = metrics");
    }
}

void
mr_config_rules_sinks (mr_config_t *self)
{
    sink_files_t *files = mr_config_alloc (self, sizeof *files);
    if (files == NULL) {
        return;
    }
    files->config = self;
    const mr_config_section_t *sink = NULL;
    for (size_t i = 0; (sink = mr_config_next_section (self, "sink", sink)) != NULL; i++) {
        check_sink (files, sink);
        if (i == MR_CONFIG_SINKS_MAX) {
            mr_config_reject (self, mr_config_at (sink, NULL), "more than %d sinks",
                              MR_CONFIG_SINKS_MAX);
        }
    }
    const char *chain = mr_config_text (mr_config_section (self, "pipeline"), "chain");
    if (mr_config_next_section (self, "sink", NULL) == NULL && self->faults == 0 &&
        mr_config_has_word (chain, "exporter")) {
        mr_config_note (self, 0, true,
                        "no [sink]: records are counted as exported and kept "
                        "nowhere");
    }
}
