/* deepsink_splice: where lines were put into a file, or taken out, that should hold certain rows.
 * Pure but for reading the file. */
#ifndef MR_LAUNCHER_DEEPSINK_SPLICE_H
#define MR_LAUNCHER_DEEPSINK_SPLICE_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows, each with its newline, that should end at `end` in the file. */
typedef struct mr_splice {
    int fd;
    uint64_t end;
    const char *rows;
    size_t bytes;
    int64_t shift; /* bytes that are too many in the file; negative: too few; not 0 */
} mr_splice_t;

/* Whether the rows stand there but for so many bytes in one place, between two of them.
 *   ret_at     bytes of rows before that place
 *   ret_twice  what is too much is the row before it, or the one behind it, once more */
bool mr_splice_find (const mr_splice_t *self, size_t *ret_at, bool *ret_twice);

/* 1 for what lies in the first row. */
size_t mr_splice_row (const char *rows, size_t at);

#endif
