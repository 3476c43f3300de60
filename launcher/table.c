#include "launcher/table.h"

#include <stdlib.h>
#include <string.h>

void
mr_table_init (mr_table_t *self, const char *const *titles, int columns)
{
    *self = (mr_table_t){.titles = titles, .columns = columns};
}

void
mr_table_release (mr_table_t *self)
{
    free (self->rows);
    self->rows = NULL;
    self->row_count = 0;
}

mr_table_row_t *
mr_table_add (mr_table_t *self)
{
    if (self->row_count == MR_TABLE_MAX_ROWS) {
        return NULL;
    }
    mr_table_row_t *rows =
        realloc (self->rows, (size_t)(self->row_count + 1) * sizeof (mr_table_row_t));
    if (rows == NULL) {
        return NULL;
    }
    self->rows = rows;
    mr_table_row_t *row = &rows[self->row_count++];
    memset (row, 0, sizeof *row);
    return row;
}

static const char *
title_of (const mr_table_t *self, int column)
{
    const char *title = self->titles[column];
    return title[0] == '>' ? title + 1 : title;
}

static void
measure (const mr_table_t *self, int widths[MR_TABLE_MAX_COLUMNS])
{
    for (int column = 0; column < self->columns; column++) {
        widths[column] = (int)strlen (title_of (self, column));
        for (int i = 0; i < self->row_count; i++) {
            int width = (int)strlen (self->rows[i].cells[column]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
}

static mr_status_t
add_cell (const mr_table_t *self, int column, int width, const char *text, mr_buffer_t *out)
{
    const char *gap = column > 0 ? "  " : "";
    if (self->titles[column][0] == '>') {
        return mr_buffer_printf (out, "%s%*s", gap, width, text);
    }
    return mr_buffer_printf (out, "%s%-*s", gap, width, text);
}

static void
trim (mr_buffer_t *out)
{
    while (out->size > 0 && out->data[out->size - 1] == ' ') {
        out->size--;
    }
}

mr_status_t
mr_table_format (const mr_table_t *self, bool colours, mr_buffer_t *out)
{
    int widths[MR_TABLE_MAX_COLUMNS];
    measure (self, widths);
    for (int i = -1; i < self->row_count; i++) {
        mr_colour_t colour = i < 0 ? MR_COLOUR_DIM : self->rows[i].colour;
        bool coloured = colours && colour != MR_COLOUR_NONE;
        mr_status_t status = mr_buffer_printf (out, "%s", mr_terminal_colour (coloured, colour));
        for (int column = 0; status == MR_OK && column < self->columns; column++) {
            const char *text = i < 0 ? title_of (self, column) : self->rows[i].cells[column];
            status = add_cell (self, column, widths[column], text, out);
        }
        trim (out);
        if (status == MR_OK) {
            status = mr_buffer_printf (out, "%s\n", mr_terminal_colour (coloured, MR_COLOUR_NONE));
        }
        if (status != MR_OK) {
            return status;
        }
    }
    return MR_OK;
}
