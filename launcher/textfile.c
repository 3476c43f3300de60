#include "launcher/textfile.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 8192 };

int64_t
mr_textfile_size (const char *path)
{
    struct stat status;
    return stat (path, &status) == 0 ? (int64_t)status.st_size : 0;
}

/* The tail of the file after `from`, terminated; "" without one. False: it begins amid a line. */
static bool
read_tail (const char *path, int64_t from, char tail[TAIL_BYTES + 1])
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    tail[0] = '\0';
    if (fd < 0) {
        return true;
    }
    int64_t size = mr_textfile_size (path);
    if (from > size) {
        from = 0;
    }
    bool cut = size - from > TAIL_BYTES;
    if (cut) {
        from = size - TAIL_BYTES;
    }
    ssize_t bytes = pread (fd, tail, TAIL_BYTES, (off_t)from);
    close (fd);
    bytes = bytes > 0 ? bytes : 0;
    tail[bytes] = '\0';
    return !cut;
}

typedef enum kind { PLAIN, COMPLAINT, ROUTINE } kind_t;

/* Lines of the log are "TIME LEVEL NAME: text"; ret_text is the text of a complaint. */
static kind_t
kind_of (const char *line, const char **ret_text)
{
    static const char *const levels[] = {" debug ", " info ", " warn ", " error "};
    const char *level = strchr (line, ' ');
    const char *text = level != NULL ? strstr (level, ": ") : NULL;
    if (text == NULL || !isdigit ((unsigned char)line[0])) {
        return PLAIN;
    }
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strncmp (level, levels[i], strlen (levels[i])) == 0) {
            *ret_text = text + 2;
            return strcmp (levels[i], " error ") == 0 ? COMPLAINT : ROUTINE;
        }
    }
    return PLAIN;
}

bool
mr_textfile_last_words (const char *path, int64_t from, char *ret_line, size_t capacity)
{
    char tail[TAIL_BYTES + 1];
    const char *last = NULL;
    const char *wrong = NULL;
    bool whole = read_tail (path, from, tail);
    char *rest = tail;
    for (char *line = strsep (&rest, "\r\n"); line != NULL; line = strsep (&rest, "\r\n")) {
        const char *text = line;
        bool blank = line[strspn (line, " \t")] == '\0';
        kind_t kind = blank || !whole ? ROUTINE : kind_of (line, &text);
        wrong = kind == COMPLAINT ? text : wrong;
        last = kind == PLAIN ? text : last;
        whole = true;
    }
    wrong = wrong != NULL ? wrong : last;
    if (wrong != NULL) {
        snprintf (ret_line, capacity, "%s", wrong);
    }
    return wrong != NULL;
}
