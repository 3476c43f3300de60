/* Bytes that no frame could be read from, kept aside for people to look at. */
#include "common/base/seglog_private.h"

#include <fcntl.h>

enum { KEEP_BYTES = 16 << 20, PIECE_BYTES = 64 << 10, KEEP_FILES = 64 };

static void
count_name (void *arg, const char *name)
{
    unsigned *count = arg;
    uint64_t start;
    *count += mr_seglog_name_parse (name, ".corrupt", &start);
}

/* A file that exists was kept by an earlier reader: it stays as it is. -1: make no copy. */
static int
make_file (const mr_file_ops_t *ops, int dir, const char *name)
{
    unsigned count = 0;
    if (ops->list (ops->context, dir, count_name, &count) != 0 || count >= KEEP_FILES) {
        return -1;
    }
    return ops->open (ops->context, dir, name, O_WRONLY | O_CREAT | O_EXCL);
}

void
mr_seglog_keep_damage (mr_seglog_scan_t *scan, int dir, uint64_t offset, uint64_t bytes,
                       char *ret_name)
{
    const mr_file_ops_t *ops = scan->ops;
    char name[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (name, scan->start + offset, ".corrupt");
    ret_name[0] = '\0';
    int fd = make_file (ops, dir, name);
    if (fd < 0) {
        return;
    }
    uint64_t limit = bytes < KEEP_BYTES ? bytes : KEEP_BYTES;
    uint64_t done = 0;
    bool good = true;
    while (good && done < limit) {
        size_t piece = limit - done < PIECE_BYTES ? (size_t)(limit - done) : PIECE_BYTES;
        const char *data = NULL;
        uint64_t at = offset + done;
        if (mr_seglog_scan_view (scan, at, piece, at + piece, &data) != MR_OK) {
            break; /* what the disk still gives is kept */
        }
        struct iovec iov = {(char *)data, piece};
        good = mr_file_write_all (ops, fd, &iov, 1, done) == 0;
        done += piece;
    }
    ops->close (ops->context, fd);
    if (good) {
        mr_seglog_name (ret_name, scan->start + offset, ".corrupt");
    } else {
        (void)ops->unlink (ops->context, dir, name);
    }
}
