/* records: a batch's records as they lie in memory, NDJSON with an offset table. A borrowed view;
 * nothing here allocates or copies.
 *
 * Record i is data[offsets[i] .. offsets[i + 1] - 1); the byte at offsets[i + 1] - 1 is its '\n'.
 * Offsets rise strictly, count + 1 of them. A record may hold newlines itself (a pretty-printed
 * object): the table says where it ends, not the text. */
#ifndef MR_COMMON_RECORD_RECORDS_H
#define MR_COMMON_RECORD_RECORDS_H

#include <stdint.h>

typedef struct mr_records {
    const char *data;
    const uint32_t *offsets; /* count + 1 */
    uint32_t count;
} mr_records_t;

#endif
