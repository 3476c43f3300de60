/* utf8: one character at a time, and text that may not be UTF-8 into a JSON string. Pure. */
#ifndef MR_COMMON_BASE_UTF8_H
#define MR_COMMON_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { MR_UTF8_MAX_BYTES = 4 };

/* Length (1 .. 4) of the well-formed character at text, 0 when there is none: overlong forms,
 * surrogates, beyond U+10FFFF and cut ones are not. `bytes` is at least 1. */
size_t mr_utf8_bytes (const char *text, size_t bytes);

/* Offset of the first byte that is not part of a well-formed character; `bytes` when all are. */
size_t mr_utf8_check (const char *text, size_t bytes);

/* Write a code point (a surrogate becomes U+FFFD) to ret_text (4 bytes); its length. */
size_t mr_utf8_encode (uint32_t code, char *ret_text);

/* Most bytes that mr_json_escape writes for `bytes`. */
#define MR_JSON_ESCAPE_BYTES(bytes) ((size_t)(bytes)*6)

/* Write text as the inside of a JSON string: quotes, backslashes and control characters escaped,
 * each byte that is not UTF-8 replaced by U+FFFD, the rest as it is. Returns the length.
 *   ret_text  room for MR_JSON_ESCAPE_BYTES (bytes) */
size_t mr_json_escape (const char *text, size_t bytes, char *ret_text);

#endif
