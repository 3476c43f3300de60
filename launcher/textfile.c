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

bool
mr_textfile_last_line (const char *path, int64_t from, char *ret_line, size_t capacity)
{
    char tail[TAIL_BYTES];
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    int64_t size = mr_textfile_size (path);
    if (from > size) {
        from = 0;
    }
    if (size - from > TAIL_BYTES) {
        from = size - TAIL_BYTES;
    }
    ssize_t bytes = pread (fd, tail, sizeof tail, (off_t)from);
    close (fd);
    size_t end = bytes > 0 ? (size_t)bytes : 0;
    while (end > 0 && strchr ("\n\r \t", tail[end - 1]) != NULL) {
        end--;
    }
    if (end == 0) {
        return false;
    }
    const char *newline = memrchr (tail, '\n', end);
    const char *start = newline == NULL ? tail : newline + 1;
    snprintf (ret_line, capacity, "%.*s", (int)(tail + end - start), start);
    return true;
}
