/* terminal: what differs when a person looks on: colour, width, a line that is written over.
 * Not thread safe. */
#ifndef MR_LAUNCHER_TERMINAL_H
#define MR_LAUNCHER_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

typedef enum mr_colour {
    MR_COLOUR_NONE,
    MR_COLOUR_GOOD,
    MR_COLOUR_WARN,
    MR_COLOUR_BAD,
    MR_COLOUR_DIM,
} mr_colour_t;

/* Whether the stream is a terminal, and whether colours may be used on it (not with NO_COLOR or
 * TERM=dumb). */
bool mr_terminal_is (FILE *stream);
bool mr_terminal_colours (FILE *stream);

/* The sequence that begins a colour, MR_COLOUR_NONE that ends it; "" when `on` is false. */
const char *mr_terminal_colour (bool on, mr_colour_t colour);

/* Columns of the terminal on stdout; 80 when unknown. */
int mr_terminal_width (void);

/* Replace the line that the cursor is on with text, cut to the width, staying on it; "" clears. */
void mr_terminal_line (const char *text);

#endif
