/* What the exporter asks of its sinks, and what it hears from them. */
#include "common/base/log.h"
#include "common/wire/jsontext.h"
#include "stages/exporter/outputs.h"
#include "stages/exporter/outputs_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
        uint64_t position = mr_pump_kept (self->outputs[i].pump);
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
        mr_output_t *output = &self->outputs[i];
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
        mr_output_t *output = &self->outputs[i];
        uint64_t position = mr_pump_position (output->pump);
        if (mr_pump_kept (output->pump) >= end) {
            continue;
        }
        mr_pump_hurry (output->pump);
        if (!given_up || !mr_pump_failing (output->pump)) {
            drained = false;
        } else if (position < end && !output->given_up) {
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
    const mr_output_t *output;
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
        mr_output_t *output = &self->outputs[i];
        bool measured = first && output->input == MR_ROWS_RECORDS && !output->counts_only;
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
        if (self->outputs[i].input == MR_ROWS_RECORDS && !self->outputs[i].counts_only) {
            return true;
        }
    }
    return false;
}

/* ---- counters ---- */

static mr_status_t
append_sink (mr_outputs_t *self, const mr_output_t *output, mr_buffer_t *json)
{
    static const char *const inputs[] = {"records", "metrics", "dead"};
    mr_pump_status_t status;
    mr_pump_status (output->pump, &status);
    const mr_cursor_state_t *cursor = &status.cursor;
    uint64_t end = mr_seglog_end (mr_spool_log (self->spool));
    uint64_t passed =
        cursor->base + cursor->delivered + cursor->unmatched + cursor->rejected + cursor->dropped;
    uint64_t total = mr_outputs_rows_in_spool (self, output->input);
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
    uint64_t unrouted = 0;
    bool first = true;
    mr_status_t status = mr_buffer_printf (json, ",\"sinks\":[");
    for (int i = 0; i < self->count && status == MR_OK; i++) {
        mr_output_t *output = &self->outputs[i];
        if (output->counts_only) {
            mr_pump_status_t counted;
            mr_pump_status (output->pump, &counted);
            unrouted = counted.cursor.delivered;
            continue;
        }
        if (!first) {
            status = mr_buffer_append (json, ",", 1);
        }
        first = false;
        if (status == MR_OK) {
            status = append_sink (self, output, json);
        }
    }
    return status == MR_OK ? mr_buffer_printf (json, "],\"unrouted\":%" PRIu64, unrouted) : status;
}
