/* base64: RFC 4648, padded; the way back of mr_jsonwriter_base64. Pure; thread safe. */
#ifndef MR_COMMON_WIRE_BASE64_H
#define MR_COMMON_WIRE_BASE64_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stddef.h>

/* Append the decoded bytes. MR_INVALID: not base64, or no room: nothing was appended; MR_SYSTEM. */
MR_CHECK mr_status_t mr_base64_decode (const char *text, size_t bytes, mr_buffer_t *out);

#endif
