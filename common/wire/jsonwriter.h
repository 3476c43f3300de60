/* jsonwriter: one JSON object or array, member by member, into a buffer. The first failure sticks
 * and the rest does nothing, so that callers check once, at the end. Embedded; not thread safe.
 *
 *   mr_jsonwriter_t json;
 *   mr_jsonwriter_init (&json, out);
 *   mr_jsonwriter_open (&json, NULL, '{');
 *   mr_jsonwriter_text (&json, "name", "processor.1");
 *   mr_jsonwriter_close (&json, '}');
 *   return mr_jsonwriter_finish (&json);
 *
 * `key` is NULL in an array and for the outermost value; it is written as it is, so it holds
 * nothing that JSON would escape. */
#ifndef MR_COMMON_WIRE_JSONWRITER_H
#define MR_COMMON_WIRE_JSONWRITER_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_jsonwriter {
    mr_buffer_t *out; /* borrowed */
    size_t start;     /* out->size at init */
    mr_status_t status;
    bool comma; /* the next value needs one in front */
} mr_jsonwriter_t;

void mr_jsonwriter_init (mr_jsonwriter_t *self, mr_buffer_t *out);

/* bracket: '{' or '['; '}' or ']'. */
void mr_jsonwriter_open (mr_jsonwriter_t *self, const char *key, char bracket);
void mr_jsonwriter_close (mr_jsonwriter_t *self, char bracket);

/* Strings: bytes that are not UTF-8 become U+FFFD. text: terminated. */
void mr_jsonwriter_text (mr_jsonwriter_t *self, const char *key, const char *text);
void mr_jsonwriter_string (mr_jsonwriter_t *self, const char *key, const char *text, size_t bytes);
/* Bytes as a base64 string (RFC 4648, padded). */
void mr_jsonwriter_base64 (mr_jsonwriter_t *self, const char *key, const void *data, size_t bytes);
/* A 64-bit number as a string of 16 lower-case hex digits: JSON numbers do not hold one. */
void mr_jsonwriter_hex (mr_jsonwriter_t *self, const char *key, uint64_t value);
/* RFC 3339, UTC. wall_ns: nanoseconds since 1970. */
void mr_jsonwriter_time (mr_jsonwriter_t *self, const char *key, int64_t wall_ns);

void mr_jsonwriter_u64 (mr_jsonwriter_t *self, const char *key, uint64_t value);
void mr_jsonwriter_i64 (mr_jsonwriter_t *self, const char *key, int64_t value);
void mr_jsonwriter_double (mr_jsonwriter_t *self, const char *key, double value);
/* A measured figure (milliseconds, rates): at most six decimals. */
void mr_jsonwriter_figure (mr_jsonwriter_t *self, const char *key, double value);
void mr_jsonwriter_bool (mr_jsonwriter_t *self, const char *key, bool value);
void mr_jsonwriter_null (mr_jsonwriter_t *self, const char *key);
/* JSON text that is already encoded. */
void mr_jsonwriter_raw (mr_jsonwriter_t *self, const char *key, const char *json, size_t bytes);

/* MR_OK; MR_INVALID, MR_SYSTEM: no room in the buffer, which is as it was at init. */
MR_CHECK mr_status_t mr_jsonwriter_finish (mr_jsonwriter_t *self);

#endif
