/* table: rows of text in aligned columns. Embedded; not thread safe. */
#ifndef MR_LAUNCHER_TABLE_H
#define MR_LAUNCHER_TABLE_H

#include "common/base/buffer.h"
#include "launcher/terminal.h"

#include <stdbool.h>

enum { MR_TABLE_MAX_COLUMNS = 12, MR_TABLE_MAX_ROWS = 1100, MR_TABLE_CELL_BYTES = 64 };

typedef struct mr_table_row {
    char cells[MR_TABLE_MAX_COLUMNS][MR_TABLE_CELL_BYTES]; /* cut to fit */
    mr_colour_t colour;                                    /* of the whole row */
} mr_table_row_t;

typedef struct mr_table {
    int columns;
    const char *const *titles; /* borrowed; one that begins with '>' is aligned to the right */
    mr_table_row_t *rows;
    int row_count;
} mr_table_t;

void mr_table_init (mr_table_t *self, const char *const *titles, int columns);
void mr_table_release (mr_table_t *self);

/* A new empty row, valid until the next; NULL: no room or memory. */
mr_table_row_t *mr_table_add (mr_table_t *self);

/* Append the title line and the rows, each with a newline and no spaces at its end; two spaces
 * between columns. colours: whether to use them. */
MR_CHECK mr_status_t mr_table_format (const mr_table_t *self, bool colours, mr_buffer_t *out);

#endif
