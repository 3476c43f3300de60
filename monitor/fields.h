/* fields: read the members of one JSON object with their types and limits. The first fault sticks
 * and names its member; the rest does nothing, so that callers check once, at the end. Embedded;
 * borrows the object. */
#ifndef MR_MONITOR_FIELDS_H
#define MR_MONITOR_FIELDS_H

#include "common/base/status.h"
#include "common/wire/event.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct mr_fields {
    const json_t *object;
    const char *what; /* "counters": stands in front of the fault */
    mr_status_t status;
    mr_error_t *err; /* may be NULL */
} mr_fields_t;

/* Who sent an event, and which of its own it is. */
typedef struct mr_stamp {
    char worker[MR_EVENT_NAME_BYTES];
    uint64_t incarnation;
    uint64_t event_seq; /* from 1 */
    int64_t ts_ns;      /* wall clock */
} mr_stamp_t;

/* object: anything; when it is not an object that is the first fault. */
void mr_fields_init (mr_fields_t *self, const json_t *object, const char *what, mr_error_t *err);

/* 1 to 63 letters, digits, '_', '-' and '.'; ret_name: MR_EVENT_NAME_BYTES. */
void mr_fields_name (mr_fields_t *self, const char *key, char *ret_name);
/* A number from 0; absent: the fault, unless optional, which leaves ret_value as it is. */
void mr_fields_u64 (mr_fields_t *self, const char *key, uint64_t *ret_value);
void mr_fields_optional_u64 (mr_fields_t *self, const char *key, uint64_t *ret_value);
/* A finite number. null_is: what JSON null (a minimum of nothing) is read as. */
void mr_fields_double (mr_fields_t *self, const char *key, double null_is, double *ret_value);
/* 16 lower-case hex digits; an RFC 3339 time. */
void mr_fields_hex (mr_fields_t *self, const char *key, uint64_t *ret_value);
void mr_fields_time (mr_fields_t *self, const char *key, int64_t *ret_ns);
/* A borrowed object or array, NULL after a fault. */
json_t *mr_fields_object (mr_fields_t *self, const char *key);
json_t *mr_fields_array (mr_fields_t *self, const char *key);
void mr_fields_stamp (mr_fields_t *self, mr_stamp_t *ret_stamp);

/* Record a fault of this member. Returns MR_INVALID. */
mr_status_t mr_fields_fault (mr_fields_t *self, const char *key);

/* Whether text is a name as mr_fields_name takes it. */
bool mr_fields_is_name (const char *text, size_t bytes);
/* The same up to a longer limit: 1 to limit_bytes - 1 bytes. */
bool mr_fields_is_key (const char *text, size_t bytes, size_t limit_bytes);

#endif
