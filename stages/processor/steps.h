/* steps: what the processor does to records, in the order of the configuration.
 *
 *   parse  = json | combined | common | raw    how a record is read (first, once)
 *   keep   = EXPRESSION                        drop what it is not true of
 *   drop   = EXPRESSION                        drop what it is true of
 *   set    = PATH = VALUE                      a JSON value; replaces, or adds at the end
 *   rename = PATH -> PATH                      nothing when the first is not there; the second
 * gives way remove = PATH, PATH, ...
 *
 * Paths may be nested (a.b[0].c) everywhere. Of duplicate keys the last is read and set; rename and
 * remove act on all. set makes objects that are not there, and replaces a null on the way by one; a
 * way through any other value, or to an index that is not there, makes the record a dead letter
 * (set_failed, rename_failed). A record comes out as it went in but for what was changed: order of
 * keys, spelling of numbers, escapes and white space inside values stay; newlines outside strings
 * become spaces, and white space around the object goes. What steps add may nest deeper than a
 * record may come in.
 *
 * Not thread safe. Memory grows with the largest batch and is kept. */
#ifndef MR_STAGES_PROCESSOR_STEPS_H
#define MR_STAGES_PROCESSOR_STEPS_H

#include "common/base/status.h"
#include "common/record/records.h"
#include "common/wire/errortype.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of the words above. */
typedef enum {
    MR_PARSE_JSON,
    MR_PARSE_COMBINED,
    MR_PARSE_COMMON,
    MR_PARSE_RAW,
} mr_parse_t;

enum {
    MR_STEPS_MAX = 256,
    MR_STEPS_MAX_WATCHED = 64,
    MR_STEPS_ABSENT = 7, /* the type of a watched field that is not there */
};

/* A record that fails becomes a row of so many bytes at most, but for its own bytes. */
#define MR_STEPS_ROW_BYTES 512
enum { MR_STEPS_TEXT_BYTES = 160 }; /* of a row's rule, and of its message */

typedef struct mr_steps mr_steps_t;

MR_CHECK mr_status_t mr_steps_new (mr_parse_t parse, mr_steps_t **ret_steps, mr_error_t *err);
void mr_steps_destroy (mr_steps_t **steps_p);

/* Add a step.
 *   key    keep, drop, set, rename or remove; with MR_CRASH_POINTS also debug_crash (abort) and
 *          debug_hang (sleep for ever), each with an expression
 *   value  as written, terminated
 * MR_CONFIG: err says "column N: what" of the value, or that there is no such key, or too many
 * steps. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_steps_add (mr_steps_t *self, const char *key, const char *value,
                                   mr_error_t *err);

/* Have the place of a field told in every record that comes out. Watched fields are numbered from 0
 * in the order of these calls. As mr_steps_add. */
MR_CHECK mr_status_t mr_steps_watch (mr_steps_t *self, const char *path, mr_error_t *err);

/* A record that failed for good. */
typedef struct mr_steps_dead {
    uint32_t index;  /* in the batch that went in */
    uint32_t offset; /* where in the record it failed */
    mr_errortype_id_t error_type;
    const char *what; /* "':' is expected after the key" */
    const char *rule; /* the line of configuration, "parse = json" */
} mr_steps_dead_t;

/* "byte 17: ':' is expected after the key" */
void mr_steps_dead_message (const mr_steps_dead_t *dead, char *ret_text, size_t room);

typedef struct mr_steps_input {
    const mr_records_t *records;
    const uint32_t *skip; /* indices, rising, of records that are not to be looked at; .. */
    uint32_t skip_count;  /* .. they are neither in the output, nor dead, nor filtered */
    size_t room;          /* for records that come out and rows of those that fail; 0: no limit */
    _Atomic uint64_t *crumb; /* NULL, or set to crumb_base + i before record i is worked on */
    uint64_t crumb_base;
} mr_steps_input_t;

/* Everything is valid until the next run. records.count + dead_count + filtered + skip_count is the
 * count that went in. */
typedef struct mr_steps_output {
    mr_records_t records;    /* what came out; the first offset is 0 */
    const uint32_t *origins; /* the index that each had */
    const uint32_t *watched; /* for each record, for each watched field, two words: offset of the
                                value from the record's start; bytes << 3 | mr_json_type_t */
    const mr_steps_dead_t *dead; /* indices rising */
    uint32_t dead_count;
    uint32_t filtered;
} mr_steps_output_t;

/* Run the steps over a batch. The input's data must stay as it is meanwhile. What comes out and the
 * rows of all records that fail or are skipped have room: a record for which the steps would leave
 * none fails (record_too_large). The rows have room for whole records, too, unless the input alone
 * is nearly as large as the room.
 * MR_SYSTEM: out of memory; nothing is known of the batch then. */
MR_CHECK mr_status_t mr_steps_run (mr_steps_t *self, const mr_steps_input_t *input,
                                   mr_steps_output_t *ret_output);

#endif
