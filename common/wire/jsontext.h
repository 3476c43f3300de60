/* jsontext: append JSON to a buffer, for the rows and events that we write ourselves. Parsing is
 * left to libraries. Not thread safe (nor is the buffer). */
#ifndef MR_COMMON_WIRE_JSONTEXT_H
#define MR_COMMON_WIRE_JSONTEXT_H

#include "common/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text as a JSON string with its quotes; each byte that is not part of valid UTF-8 becomes U+FFFD.
 * Statuses as mr_buffer_append. */
MR_CHECK mr_status_t mr_jsontext_string (mr_buffer_t *out, const char *text, size_t bytes);

/* A finite double in the shortest form that reads back the same; a whole number without ".0";
 * null when it is not finite. */
MR_CHECK mr_status_t mr_jsontext_number (mr_buffer_t *out, double value);

/* Whether all bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool mr_utf8_valid (const char *text, size_t bytes);

#endif
