#include "common/wire/errortype.h"

#include <string.h>

// clang-format off
static const mr_errortype_t rows[] = {
    {"record_too_long", "ingest", true,
     "The record is longer than `max_record`; a dead letter keeps its first bytes"},
    {"journal_full", "ingest", false,
     "The journal takes no batch now: no space, or an I/O error; producers wait"},
    {"journal_damaged", "ingest", false,
     "A batch that had to be sent again cannot be read from the journal; it is lost"},
    {"memory_lost", "ingest", false,
     "With `durability = memory`: a batch that was in flight when ingest died did not arrive"},
    {"producer_frame", "ingest", false,
     "A message on a router socket breaks the protocol of acknowledged producers"},
    {"json_syntax", "processor", true, "The record is not valid JSON"},
    {"json_utf8", "processor", true, "The record is not valid UTF-8"},
    {"json_not_object", "processor", true, "The record is valid JSON, but not an object"},
    {"json_depth", "processor", true, "The record is nested deeper than 128 levels"},
    {"parse_combined", "processor", true, "The line is not in the combined log format"},
    {"parse_common", "processor", true, "The line is not in the common log format"},
    {"set_failed", "processor", true, "A `set` step has no value, or no place to put it"},
    {"rename_failed", "processor", true, "A `rename` step has no place to put the field"},
    {"worker_crash", "processor", true,
     "Workers died while they worked on the record; it is not looked at again"},
    {"worker_hang", "processor", true,
     "Workers made no progress on the record and were killed; it is not looked at again"},
    {"record_too_large", "processor", true,
     "With what the steps made of it, the batch would be larger than a frame may be"},
    {"metric_field_missing", "metrics", false,
     "The record lacks the field that a metric observes; the metric leaves it out"},
    {"metric_field_not_number", "metrics", false,
     "The field that a metric observes is not a number; the metric leaves it out"},
    {"metric_no_room", "metrics", false,
     "The batch is so large that its counts do not fit into the frame; they are left out"},
    {"metric_series_full", "exporter", false,
     "The metric has `max_series` series; the record is counted under `other`"},
    {"metric_refused", "exporter", false,
     "A batch counted a metric by another definition than this exporter's; it is left out"},
    {"totals_write", "exporter", false,
     "The totals of the metrics could not be saved; it is tried again"},
    {"sink_write", "exporter", false, "A sink could not be written; it is tried again"},
    {"bad_frame", "any", false,
     "A batch breaks its format or its checksum; it is dropped and sent again"},
    {"callback_failed", "any", false, "A stage's own callback failed; the batch goes on"},
    {NULL, NULL, false, NULL},
};
// clang-format on

const mr_errortype_t *
mr_errortypes (void)
{
    return rows;
}

const mr_errortype_t *
mr_errortype_find (const char *name)
{
    for (const mr_errortype_t *row = rows; row->name != NULL; row++) {
        if (strcmp (row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}
