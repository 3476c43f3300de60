/* scan: the first pass over JSON text, by simdjson's vector kernels; the only C++ in the tree.
 *
 * It finds where every token starts, and checks that the text is UTF-8, that every string is closed
 * and that no string holds a raw control character. What the tokens mean is not looked at (json.c
 * does). Not thread safe; one scanner per thread. */
#ifndef MR_COMMON_RECORD_SCAN_H
#define MR_COMMON_RECORD_SCAN_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mr_scan mr_scan_t;

/* Out of memory: MR_SYSTEM. */
MR_CHECK mr_status_t mr_scan_new (mr_scan_t **ret_scan);
void mr_scan_destroy (mr_scan_t **scan_p);

/* Scan `bytes` (1 .. 1 GiB) of text; nothing beyond them is read.
 *   ret_starts  offsets of the tokens, rising, owned by the scanner and valid until its next call;
 *               ret_count of them, followed by one that is at least `bytes`
 * A token is one of {}[]:, or the first byte of a string (its quote) or of any other word. After a
 * string come only white space and the next token.
 * MR_INVALID: empty, not UTF-8, an open string, or a control character in a string.
 * MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_scan_run (mr_scan_t *self, const char *text, size_t bytes,
                                  const uint32_t **ret_starts, uint32_t *ret_count);

/* The kernel that this machine uses, such as "haswell"; static. */
const char *mr_scan_kernel (void);

#ifdef __cplusplus
}
#endif

#endif
