#include "stages/exporter/outputs.h"

#include "common/base/dirs.h"
#include "common/base/file_ops.h"
#include "common/base/hash.h"
#include "common/delivery/cursor.h"
#include "common/delivery/sinkpath.h"
#include "common/record/rows.h"
#include "stages/exporter/outputs_private.h"
#include "stages/exporter/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ON_FULL_DROP = 1, LAG_BYTES = 4 << 20 };

/* ---- configuration ---- */

static mr_rows_input_t
input_of (const mr_config_section_t *section)
{
    return (mr_rows_input_t)mr_config_number (section, "input");
}

static bool
is_file (const mr_config_section_t *section)
{
    const char *type = mr_config_text (section, "type");
    return type != NULL && strcmp (type, "file") == 0;
}

static mr_status_t
init_rows (const mr_config_section_t *section, mr_rows_t *rows, mr_error_t *err)
{
    return mr_rows_init (rows, input_of (section), mr_config_text (section, "match"),
                         mr_config_number (section, "envelope") != 0, err);
}

/* A sink that has worked is not the configuration's fault when it does not any more: then it is
 * this sink's failure, and the others go on. */
static bool
has_worked (const mr_config_t *config, const mr_config_section_t *section)
{
    char path[PATH_MAX];
    mr_cursor_dir (mr_config_text (mr_config_section (config, "pipeline"), "data_dir"), 0, path);
    size_t bytes = strlen (path);
    snprintf (path + bytes, sizeof path - bytes, "/%.50s.cursor", mr_config_section_name (section));
    return access (path, F_OK) == 0;
}

mr_status_t
mr_outputs_check (mr_config_t *config, bool dry, mr_error_t *err)
{
    const mr_config_section_t *section = NULL;
    while ((section = mr_config_next_section (config, "sink", section)) != NULL) {
        mr_rows_t rows;
        mr_error_t why;
        mr_status_t status = init_rows (section, &rows, &why);
        if (status == MR_OK) {
            mr_rows_release (&rows);
        } else if (status == MR_CONFIG) {
            mr_config_reject_key (config, section, "match", "%s", why.text);
        } else {
            return mr_error_errno (err, "sink");
        }
        const char *path = mr_config_text (section, "path");
        bool tried = path != NULL && is_file (section) && mr_config_sound (section, "path") &&
                     !has_worked (config, section);
        if (tried && mr_sink_path_check (path, dry, &why) != MR_OK &&
            (dry || !mr_file_may_pass (why.number))) {
            mr_config_reject_key (config, section, "path", "%s", why.text);
        }
    }
    return MR_OK;
}

/* ---- life ---- */

static mr_status_t
make_sink (const mr_outputs_t *self, const mr_config_section_t *section, mr_sink_t *sink,
           mr_error_t *err)
{
    if (!is_file (section)) {
        return mr_sink_stdout_new (sink, err);
    }
    char path[PATH_MAX];
    mr_status_t status =
        mr_sink_path (mr_config_text (section, "path"), mr_stage_slot (self->stage), path, err);
    return status == MR_OK ? mr_sink_file_new (path, sink, err) : status;
}

static uint64_t
rows_of (const mr_spool_sum_t *sum, mr_rows_input_t input)
{
    return input == MR_ROWS_RECORDS ? sum->exported : input == MR_ROWS_DEAD ? sum->dead : 0;
}

uint64_t
mr_outputs_rows_in_spool (const mr_outputs_t *self, mr_rows_input_t input)
{
    uint32_t count;
    const mr_spool_sum_t *sums = mr_spool_sums (self->spool, &count);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows += rows_of (&sums[i], input);
    }
    return rows;
}

/* Give the sink its pump. rows and sink are consumed. */
static mr_status_t
add (mr_outputs_t *self, const char *name, mr_rows_t *rows, mr_sink_t *sink, mr_error_t *err)
{
    char cursor[PATH_MAX + MR_WORKER_NAME_BYTES];
    snprintf (cursor, sizeof cursor, "%s/%.50s.cursor", self->cursors, name);
    mr_output_t *output = &self->outputs[self->count];
    output->input = rows->input;
    mr_pump_options_t options = {
        .name = name,
        .spool_dir = mr_spool_dir (self->spool),
        .cursor_path = cursor,
        .start = self->start,
        .key = mr_hash64 (name, strlen (name)),
        .fsync = self->fsync,
        .lag_bytes = self->lag_bytes,
        .may_drop = output->may_drop,
        .event_fd = self->event_fd,
    };
    options.start.rows_end = mr_outputs_rows_in_spool (self, rows->input);
    options.start.rows_first = self->went_known ? rows_of (&self->went, rows->input) : UINT64_MAX;
    mr_status_t status = mr_pump_new (&options, rows, sink, &output->pump, err);
    if (status == MR_OK) {
        self->count++;
    }
    return status;
}

static mr_status_t
add_sinks (mr_outputs_t *self, mr_error_t *err)
{
    const mr_config_t *config = mr_stage_config (self->stage);
    const mr_config_section_t *section = NULL;
    mr_status_t status = MR_OK;
    while (status == MR_OK &&
           (section = mr_config_next_section (config, "sink", section)) != NULL) {
        mr_output_t *output = &self->outputs[self->count];
        const char *name = mr_config_section_name (section);
        snprintf (output->operation, sizeof output->operation, "export.%s", name);
        output->may_drop = mr_config_number (section, "on_full") == ON_FULL_DROP;
        mr_rows_t rows;
        mr_sink_t sink;
        status = init_rows (section, &rows, err);
        if (status != MR_OK) {
            return status;
        }
        status = make_sink (self, section, &sink, err);
        if (status != MR_OK) {
            mr_rows_release (&rows);
            return status;
        }
        status = add (self, name, &rows, &sink, err);
    }
    return status;
}

/* Dead letters are always kept, whatever the sinks are. */
static mr_status_t
add_dead_store (mr_outputs_t *self, const char *data_dir, mr_error_t *err)
{
    char path[PATH_MAX];
    int bytes =
        snprintf (path, sizeof path, "%s/dead/%s.jsonl", data_dir, mr_stage_worker (self->stage));
    if (bytes < 0 || bytes >= (int)sizeof path) {
        mr_error_set (err, "data_dir is too long");
        return MR_CONFIG;
    }
    mr_output_t *output = &self->outputs[self->count];
    snprintf (output->operation, sizeof output->operation, "dead");
    mr_rows_t rows;
    mr_sink_t sink;
    mr_status_t status = mr_rows_init (&rows, MR_ROWS_DEAD, NULL, false, err);
    if (status != MR_OK) {
        return status;
    }
    status = mr_sink_file_new (path, &sink, err);
    if (status != MR_OK) {
        mr_rows_release (&rows);
        return status;
    }
    return add (self, MR_CURSOR_DEAD_STORE, &rows, &sink, err);
}

/* What every sink for records leaves out is counted where all of them have a `match`; where there
 * is no sink for records, that is all of them. */
static mr_status_t
add_unrouted (mr_outputs_t *self, mr_error_t *err)
{
    const mr_config_t *config = mr_stage_config (self->stage);
    const mr_config_section_t *section = NULL;
    mr_rows_t rows;
    mr_status_t status = mr_rows_init (&rows, MR_ROWS_RECORDS, NULL, false, err);
    while (status == MR_OK &&
           (section = mr_config_next_section (config, "sink", section)) != NULL) {
        const char *match = mr_config_text (section, "match");
        if (input_of (section) != MR_ROWS_RECORDS) {
            continue;
        }
        if (match == NULL) {
            mr_rows_release (&rows);
            return MR_OK; /* it takes everything */
        }
        status = mr_rows_except (&rows, match, err);
    }
    if (status != MR_OK) {
        mr_rows_release (&rows);
        return status;
    }
    mr_output_t *output = &self->outputs[self->count];
    output->counts_only = true;
    snprintf (output->operation, sizeof output->operation, "unrouted");
    mr_sink_t none = mr_sink_none ();
    return add (self, MR_CURSOR_UNROUTED, &rows, &none, err);
}

static void
on_event (void *arg, short revents)
{
    (void)revents;
    mr_outputs_t *self = arg;
    uint64_t count;
    (void)!read (self->event_fd, &count, sizeof count);
    mr_outputs_publish (self);
}

mr_status_t
mr_outputs_new (const mr_outputs_options_t *options, mr_outputs_t **ret_outputs, mr_error_t *err)
{
    mr_outputs_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "sinks");
    }
    *self = (mr_outputs_t){
        .stage = options->stage,
        .spool = options->spool,
        .fsync = options->fsync,
        .lag_bytes = options->limit_bytes / 4 < LAG_BYTES ? options->limit_bytes / 4 : LAG_BYTES,
        .latency = options->latency,
    };
    mr_seglog_t *log = mr_spool_log (self->spool);
    self->start = (mr_pump_start_t){
        .spool = mr_seglog_id (log),
        .first = mr_seglog_first (log),
        .end = mr_seglog_end (log),
    };
    self->went_known =
        mr_spool_sums_before (mr_spool_dir (self->spool), &self->went, NULL) == MR_OK;
    const char *data_dir =
        mr_config_text (mr_config_section (mr_stage_config (self->stage), "pipeline"), "data_dir");
    mr_cursor_dir (data_dir, mr_stage_slot (self->stage), self->cursors);
    mr_status_t status = mr_dirs_make (self->cursors, 0750, err);
    self->event_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (status == MR_OK && self->event_fd < 0) {
        status = mr_error_errno (err, "eventfd");
    }
    if (status == MR_OK) {
        status = add_sinks (self, err);
    }
    if (status == MR_OK) {
        status = add_dead_store (self, data_dir, err);
    }
    if (status == MR_OK) {
        status = add_unrouted (self, err);
    }
    if (status == MR_OK) {
        self->event_id = mr_loop_add (mr_stage_loop (self->stage), mr_loop_fd (self->event_fd),
                                      MR_LOOP_IN, on_event, self);
        status = self->event_id != 0 ? MR_OK : mr_error_errno (err, "sinks");
    }
    if (status != MR_OK) {
        mr_outputs_destroy (&self);
        return status;
    }
    *ret_outputs = self;
    return MR_OK;
}

void
mr_outputs_destroy (mr_outputs_t **self_p)
{
    mr_outputs_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < self->count; i++) {
        mr_pump_destroy (&self->outputs[i].pump);
    }
    if (self->event_id != 0) {
        mr_loop_remove (mr_stage_loop (self->stage), self->event_id);
    }
    if (self->event_fd >= 0) {
        close (self->event_fd);
    }
    free (self);
    *self_p = NULL;
}
