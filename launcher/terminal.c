#include "launcher/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool
mr_terminal_is (FILE *stream)
{
    return isatty (fileno (stream)) == 1;
}

bool
mr_terminal_colours (FILE *stream)
{
    const char *none = getenv ("NO_COLOR");
    const char *term = getenv ("TERM");
    return mr_terminal_is (stream) && (none == NULL || none[0] == '\0') && term != NULL &&
           strcmp (term, "dumb") != 0;
}

const char *
mr_terminal_colour (bool on, mr_colour_t colour)
{
    if (!on) {
        return "";
    }
    switch (colour) {
    case MR_COLOUR_NONE:
        break;
    case MR_COLOUR_GOOD:
        return "\033[32m";
    case MR_COLOUR_WARN:
        return "\033[33m";
    case MR_COLOUR_BAD:
        return "\033[31m";
    case MR_COLOUR_DIM:
        return "\033[2m";
    }
    return "\033[0m";
}

int
mr_terminal_width (void)
{
    struct winsize size = {0};
    if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

void
mr_terminal_line (const char *text)
{
    printf ("\r%.*s\033[K", mr_terminal_width () - 1, text);
    fflush (stdout);
}
