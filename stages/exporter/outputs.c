#include "stages/exporter/outputs.h"

#include "common/base/dirs.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/delivery/cursor.h"
#include "common/delivery/sinkpath.h"
#include "common/record/rows.h"
#include "common/runtime/worker.h"
#include "common/wire/jsontext.h"
#include "stages/exporter/sink.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_OUTPUTS = MR_CONFIG_SINKS_MAX + 1, ON_FULL_DROP = 1, LAG_BYTES = 4 << 20 };

typedef struct output {
    char operation[MR_WORKER_NAME_BYTES]; /* "export.<sink>" */
    mr_pump_t *pump;
    mr_rows_input_t input;
    bool may_drop;
    bool given_up; /* said */
} output_t;

struct mr_outputs {
    mr_stage_t *stage;
    mr_spool_t *spool;
    mr_pump_start_t start;
    char cursors[PATH_MAX];
    bool fsync;
    uint64_t lag_bytes;
    int event_fd;
    int event_id;
    output_t outputs[MAX_OUTPUTS];
    int count;
    mr_latency_t *latency;
};

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
        if (tried && mr_sink_path_check (path, dry, &why) != MR_OK) {
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

/* Rows of this input that were ever in the spool. Those of metrics are not summed up. */
static uint64_t
rows_in_spool (const mr_outputs_t *self, mr_rows_input_t input)
{
    uint32_t count;
    const mr_spool_sum_t *sums = mr_spool_sums (self->spool, &count);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows += input == MR_ROWS_RECORDS ? sums[i].exported
                : input == MR_ROWS_DEAD  ? sums[i].dead
                                         : 0;
    }
    return rows;
}

/* Give the sink its pump. rows and sink are consumed. */
static mr_status_t
add (mr_outputs_t *self, const char *name, mr_rows_t *rows, mr_sink_t *sink, mr_error_t *err)
{
    char cursor[PATH_MAX + MR_WORKER_NAME_BYTES];
    snprintf (cursor, sizeof cursor, "%s/%.50s.cursor", self->cursors, name);
    output_t *output = &self->outputs[self->count];
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
    options.start.rows_end = rows_in_spool (self, rows->input);
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
        output_t *output = &self->outputs[self->count];
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
    output_t *output = &self->outputs[self->count];
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

/* ---- what the exporter asks ---- */

void
mr_outputs_hand (mr_outputs_t *self, const mr_handed_t *handed)
{
    for (int i = 0; i < self->count; i++) {
        mr_pump_hand (self->outputs[i].pump, handed);
    }
}

void
mr_outputs_wake (mr_outputs_t *self)
{
    for (int i = 0; i < self->count; i++) {
        mr_pump_wake (self->outputs[i].pump);
    }
}

void
mr_outputs_reopen (mr_outputs_t *self)
{
    for (int i = 0; i < self->count; i++) {
        mr_pump_reopen (self->outputs[i].pump);
    }
}

uint64_t
mr_outputs_position (const mr_outputs_t *self)
{
    uint64_t lowest = UINT64_MAX;
    for (int i = 0; i < self->count; i++) {
        uint64_t position = mr_pump_position (self->outputs[i].pump);
        lowest = position < lowest ? position : lowest;
    }
    return lowest;
}

bool
mr_outputs_full (mr_outputs_t *self, uint64_t limit_bytes, const char **ret_sink)
{
    uint64_t end = mr_seglog_end (mr_spool_log (self->spool));
    bool full = false;
    for (int i = 0; i < self->count; i++) {
        output_t *output = &self->outputs[i];
        if (end - mr_pump_position (output->pump) <= limit_bytes) {
            continue;
        }
        if (output->may_drop) {
            mr_pump_drop (output->pump, end - limit_bytes / 2);
        }
        if (!full) {
            *ret_sink = mr_pump_name (output->pump);
        }
        full = true;
    }
    return full;
}

bool
mr_outputs_drained (mr_outputs_t *self, bool given_up)
{
    uint64_t end = mr_seglog_end (mr_spool_log (self->spool));
    bool drained = true;
    for (int i = 0; i < self->count; i++) {
        output_t *output = &self->outputs[i];
        uint64_t position = mr_pump_position (output->pump);
        if (position >= end) {
            continue;
        }
        mr_pump_wake (output->pump);
        if (!given_up || !mr_pump_failing (output->pump)) {
            drained = false;
        } else if (!output->given_up) {
            output->given_up = true;
            mr_log_warn ("sink %s: %" PRIu64 " bytes of the spool are not delivered; they wait for "
                         "the next start",
                         mr_pump_name (output->pump), end - position);
        }
    }
    return drained;
}

typedef struct publishing {
    const mr_stage_callbacks_t *callbacks;
    const output_t *output;
    mr_latency_t *latency;
} publishing_t;

static void
publish_event (void *arg, const mr_pump_t *pump, const mr_pump_event_t *event)
{
    (void)pump;
    const publishing_t *publishing = arg;
    const mr_stage_callbacks_t *callbacks = publishing->callbacks;
    if (event->failed) {
        mr_failure_t failure = {.error_type = MR_ERR_SINK_WRITE, .message = event->text};
        callbacks->on_error (callbacks->stage, publishing->output->operation, &failure);
        return;
    }
    callbacks->on_success (callbacks->stage, publishing->output->operation, event->ms,
                           event->count);
    if (publishing->latency != NULL && event->latency >= 0) {
        mr_latency_add (publishing->latency, event->latency);
    }
}

void
mr_outputs_publish (mr_outputs_t *self)
{
    bool first = true; /* the sink by which end-to-end times are measured */
    for (int i = 0; i < self->count; i++) {
        output_t *output = &self->outputs[i];
        bool measured = first && output->input == MR_ROWS_RECORDS;
        first = first && !measured;
        publishing_t publishing = {
            .callbacks = mr_stage_callbacks (self->stage),
            .output = output,
            .latency = measured ? self->latency : NULL,
        };
        mr_pump_take_events (output->pump, publish_event, &publishing);
    }
}

bool
mr_outputs_take_records (const mr_outputs_t *self)
{
    for (int i = 0; i < self->count; i++) {
        if (self->outputs[i].input == MR_ROWS_RECORDS) {
            return true;
        }
    }
    return false;
}

/* ---- counters ---- */

static mr_status_t
append_sink (mr_outputs_t *self, const output_t *output, mr_buffer_t *json)
{
    static const char *const inputs[] = {"records", "metrics", "dead"};
    mr_pump_status_t status;
    mr_pump_status (output->pump, &status);
    const mr_cursor_state_t *cursor = &status.cursor;
    uint64_t end = mr_seglog_end (mr_spool_log (self->spool));
    uint64_t passed =
        cursor->base + cursor->delivered + cursor->unmatched + cursor->rejected + cursor->dropped;
    uint64_t total = rows_in_spool (self, output->input);
    mr_status_t result = mr_buffer_printf (
        json,
        "{\"name\":\"%s\",\"input\":\"%s\",\"delivered\":%" PRIu64 ",\"unmatched\":%" PRIu64
        ",\"rejected\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"pending\":%" PRIu64
        ",\"pending_bytes\":%" PRIu64 ",\"damaged_bytes\":%" PRIu64 ",\"failure\":",
        mr_pump_name (output->pump), inputs[output->input], cursor->delivered, cursor->unmatched,
        cursor->rejected, cursor->dropped, total > passed ? total - passed : 0,
        end > cursor->position ? end - cursor->position : 0, status.damaged_bytes);
    if (result == MR_OK) {
        result = mr_jsontext_string (json, status.failure, strlen (status.failure));
    }
    return result == MR_OK ? mr_buffer_append (json, "}", 1) : result;
}

bool
mr_outputs_failure (const mr_outputs_t *self, char *ret_text)
{
    for (int i = 0; i < self->count; i++) {
        mr_pump_status_t status;
        mr_pump_status (self->outputs[i].pump, &status);
        if (status.failing) {
            snprintf (ret_text, MR_OUTPUTS_FAILURE_BYTES, "sink %s: %s",
                      mr_pump_name (self->outputs[i].pump), status.failure);
            return true;
        }
    }
    return false;
}

mr_status_t
mr_outputs_append (mr_outputs_t *self, mr_buffer_t *json)
{
    mr_status_t status = mr_buffer_printf (json, ",\"sinks\":[");
    for (int i = 0; i < self->count && status == MR_OK; i++) {
        if (i > 0) {
            status = mr_buffer_append (json, ",", 1);
        }
        if (status == MR_OK) {
            status = append_sink (self, &self->outputs[i], json);
        }
    }
    return status == MR_OK ? mr_buffer_append (json, "]", 1) : status;
}
