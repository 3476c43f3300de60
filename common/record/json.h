/* json: read the records of a batch, each checked completely, and give their top-level fields.
 *
 * Valid is what RFC 8259 calls valid: any number (18446744073709551616, 1e400, -0), any escape
 * (lone surrogates too), duplicate keys; numbers and strings are never converted here, so they
 * survive byte for byte. Not valid: anything after the object, a byte order mark, a nesting of more
 * than MR_JSON_MAX_DEPTH. A record ends where its offsets say, so that a broken one never touches
 * its neighbours: text is scanned in chunks of many records (scan.h), tokens beyond a record's end
 * are not seen, and a chunk that does not scan is read again record by record.
 *
 * Not thread safe. Memory: a few bytes per byte of the largest record, kept between batches. */
#ifndef MR_COMMON_RECORD_JSON_H
#define MR_COMMON_RECORD_JSON_H

#include "common/base/status.h"
#include "common/record/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_JSON_MAX_DEPTH = 128, /* the object itself is 1 */
};

typedef enum {
    MR_JSON_NULL,
    MR_JSON_FALSE,
    MR_JSON_TRUE,
    MR_JSON_NUMBER,
    MR_JSON_STRING,
    MR_JSON_ARRAY,
    MR_JSON_OBJECT,
} mr_json_type_t;

typedef enum {
    MR_JSON_OK,
    MR_JSON_SYNTAX,
    MR_JSON_UTF8,
    MR_JSON_NOT_OBJECT,
    MR_JSON_DEPTH,
} mr_json_error_t;

/* A value as it stands in valid text: strings with their quotes, no white space around it. */
typedef struct mr_json_value {
    const char *text;
    uint32_t bytes;
    uint8_t type;    /* mr_json_type_t */
    uint8_t escaped; /* a string that holds a backslash; 0 for other types */
} mr_json_value_t;

typedef struct mr_json_field {
    const char *key; /* between the quotes */
    uint32_t key_bytes;
    uint8_t key_escaped; /* the key holds a backslash */
    mr_json_value_t value;
} mr_json_field_t;

/* One record. On error there are no fields, and the error fields say what and where. */
typedef struct mr_json_record {
    const char *text; /* the whole record without its newline */
    uint32_t bytes;
    uint32_t start; /* where the object's '{' is */
    uint32_t end;   /* one beyond its '}' */
    mr_json_error_t error;
    uint32_t error_offset;   /* bytes from the record's start */
    const char *error_text;  /* static, such as "expected ':' after the key" */
    mr_json_field_t *fields; /* in the order of the text; the caller may change them */
    uint32_t field_count;
} mr_json_record_t;

typedef struct mr_json mr_json_t;

/* Out of memory: MR_SYSTEM. */
MR_CHECK mr_status_t mr_json_new (mr_json_t **ret_json);
void mr_json_destroy (mr_json_t **json_p);

/* Start on a batch, which must stay as it is until the last of its records was read. Any batch
 * before it is forgotten. */
void mr_json_open (mr_json_t *self, const mr_records_t *batch);

/* The next record, in the order of the batch, whether it is valid or not (record.error).
 * ret_record->fields is valid until the next call and has room for `spare` more, which the caller
 * may use. MR_CLOSED: that was the last. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_json_next (mr_json_t *self, uint32_t spare, mr_json_record_t *ret_record);

/* Check one text as slowly and as precisely as can be: what mr_json_next uses to explain an error,
 * and what checks literals in the configuration. Any value is accepted, not only objects; white
 * space around it is allowed. On MR_JSON_OK sets ret_value (fields unchanged otherwise), else
 * ret_offset and ret_what (static). */
mr_json_error_t mr_json_check (const char *text, size_t bytes, mr_json_value_t *ret_value,
                               size_t *ret_offset, const char **ret_what);

/* "json_syntax", "json_utf8", "json_not_object", "json_depth"; "ok". */
const char *mr_json_error_name (mr_json_error_t error);

#endif
