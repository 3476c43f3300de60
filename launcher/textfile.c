#include "launcher/textfile.h"

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

/* The tail of the file after `from`, terminated; "" without one. */
static void
read_tail (const char *path, int64_t from, char tail[TAIL_BYTES + 1])
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    tail[0] = '\0';
    if (fd < 0) {
        return;
    }
    int64_t size = mr_textfile_size (path);
    if (from > size) {
        from = 0;
    }
    if (size - from > TAIL_BYTES) {
        from = size - TAIL_BYTES;
    }
    ssize_t bytes = pread (fd, tail, TAIL_BYTES, (off_t)from);
    close (fd);
    bytes = bytes > 0 ? bytes : 0;
    tail[bytes] = '\0';
}

/* "TIME error NAME: text" -> "text"; NULL: another kind of line. */
static const char *
complaint (const char *line)
{
    const char *level = strchr (line, ' ');
    if (level == NULL ||
        (strncmp (level, " error ", 7) != 0 && strncmp (level, " warn ", 6) != 0)) {
        return NULL;
    }
    const char *text = strstr (level, ": ");
    return text == NULL ? NULL : text + 2;
}

bool
mr_textfile_last_words (const char *path, int64_t from, char *ret_line, size_t capacity)
{
    char tail[TAIL_BYTES + 1];
    const char *last = NULL;
    const char *wrong = NULL;
    read_tail (path, from, tail);
    char *rest = tail;
    for (char *line = strsep (&rest, "\r\n"); line != NULL; line = strsep (&rest, "\r\n")) {
        if (line[strspn (line, " \t")] == '\0') {
            continue;
        }
        const char *text = complaint (line);
        wrong = text != NULL ? text : wrong;
        last = line;
    }
    if (last == NULL) {
        return false;
    }
    snprintf (ret_line, capacity, "%s", wrong != NULL ? wrong : last);
    return true;
}
