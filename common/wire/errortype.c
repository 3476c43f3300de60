#include "common/wire/errortype.h"

// clang-format off
static const mr_errortype_t rows[] = {
    [MR_ERR_NONE] = {"", "", false, ""},
    [MR_ERR_RECORD_TOO_LONG] = {"record_too_long", "ingest", true,
     "The record is longer than `max_record`; a dead letter keeps its first bytes"},
    [MR_ERR_JOURNAL_FULL] = {"journal_full", "ingest", false,
     "The journal takes no batch now: no space, or an I/O error; producers wait"},
    [MR_ERR_JOURNAL_DAMAGED] = {"journal_damaged", "ingest", false,
     "A batch that had to be sent again cannot be read from the journal; it is lost"},
    [MR_ERR_MEMORY_LOST] = {"memory_lost", "ingest", false,
     "With `durability = memory`: a batch that was in flight when ingest died did not arrive"},
    [MR_ERR_PRODUCER_FRAME] = {"producer_frame", "ingest", false,
     "A request of an acknowledged producer was answered `error`, which says why"},
    [MR_ERR_JSON_SYNTAX] = {"json_syntax", "processor", true, "The record is not valid JSON"},
    [MR_ERR_JSON_UTF8] = {"json_utf8", "processor", true, "The record is not valid UTF-8"},
    [MR_ERR_JSON_NOT_OBJECT] = {"json_not_object", "processor", true,
     "The record is valid JSON, but not an object"},
    [MR_ERR_JSON_DEPTH] = {"json_depth", "processor", true,
     "The record is nested deeper than 128 levels"},
    [MR_ERR_PARSE_COMBINED] = {"parse_combined", "processor", true,
     "The line is not in the combined log format"},
    [MR_ERR_PARSE_COMMON] = {"parse_common", "processor", true,
     "The line is not in the common log format"},
    [MR_ERR_SET_FAILED] = {"set_failed", "processor", true,
     "A `set` step has no value, or no place to put it"},
    [MR_ERR_RENAME_FAILED] = {"rename_failed", "processor", true,
     "A `rename` step has no place to put the field"},
    [MR_ERR_WORKER_CRASH] = {"worker_crash", "processor", true,
     "Workers died while they worked on the record; it is not looked at again"},
    [MR_ERR_WORKER_HANG] = {"worker_hang", "processor", true,
     "Workers made no progress on the record and were killed; it is not looked at again"},
    [MR_ERR_RECORD_TOO_LARGE] = {"record_too_large", "processor", true,
     "With what the steps made of it, the batch would be larger than a frame may be"},
    [MR_ERR_METRIC_FIELD_MISSING] = {"metric_field_missing", "metrics", false,
     "The record lacks the field that a metric observes; the metric leaves it out"},
    [MR_ERR_METRIC_FIELD_NOT_NUMBER] = {"metric_field_not_number", "metrics", false,
     "The field that a metric observes is not a number; the metric leaves it out"},
    [MR_ERR_METRIC_NO_ROOM] = {"metric_no_room", "metrics", false,
     "The batch is so large that its counts do not fit into the frame; they are left out"},
    [MR_ERR_METRIC_SERIES_FULL] = {"metric_series_full", "exporter", false,
     "The metric has `max_series` series; the record is counted under `other`"},
    [MR_ERR_METRIC_REFUSED] = {"metric_refused", "exporter", false,
     "A batch counted a metric by another definition than this exporter's; it is left out"},
    [MR_ERR_TOTALS_WRITE] = {"totals_write", "exporter", false,
     "The totals of the metrics could not be saved; it is tried again"},
    [MR_ERR_SINK_WRITE] = {"sink_write", "exporter", false,
     "A sink could not be written; it is tried again"},
    [MR_ERR_BAD_FRAME] = {"bad_frame", "any", false,
     "A batch breaks its format or its checksum; it is dropped and sent again"},
    [MR_ERR_COUNT] = {NULL, NULL, false, NULL},
};
// clang-format on

const mr_errortype_t *
mr_errortypes (void)
{
    return rows + 1;
}

const char *
mr_errortype_name (mr_errortype_id_t id)
{
    return id > MR_ERR_NONE && id < MR_ERR_COUNT ? rows[id].name : "";
}
