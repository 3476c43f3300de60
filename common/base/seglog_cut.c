/* Cutting a log by hand. The copy is durable before the original goes; head goes first, as it would
 * vouch for what is being cut. Whoever dies on the way leaves a log that ends earlier or later, and
 * the next cut goes on. */
#include "common/base/seglog_walk.h"

#include "common/base/crashpoint.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_BYTES = 256 << 10, CUTS_MOST = 1000 };

typedef struct {
    const char *name; /* of the directory, for messages */
    const mr_file_ops_t *ops;
    int dir;
    mr_seglog_list_t list;
} cutting_t;

static mr_status_t
failed (const cutting_t *cutting, const char *what, mr_error_t *err)
{
    bool may_pass = mr_file_may_pass (errno);
    mr_status_t status = mr_error_errno (err, "%s: %s", cutting->name, what);
    return may_pass ? MR_AGAIN : status;
}

/* Whether the log may be cut here: a whole frame begins, or a segment, or it is the end. */
static mr_status_t
check_place (const cutting_t *cutting, uint64_t position, mr_error_t *err)
{
    const mr_seglog_reader_options_t options = {.dir = cutting->name, .ops = cutting->ops};
    mr_seglog_reader_t *reader = NULL;
    mr_status_t status = mr_seglog_reader_new (&options, &reader, err);
    if (status != MR_OK) {
        return status == MR_AGAIN ? MR_CLOSED : status;
    }
    size_t i = mr_seglog_list_at (&cutting->list, position);
    bool starts = i < cutting->list.count && cutting->list.starts[i] == position;
    mr_seglog_frame_t frame;
    if (!starts && position != mr_seglog_reader_end (reader)) {
        status = mr_seglog_reader_at (reader, position, &frame, err);
    }
    mr_seglog_reader_destroy (&reader);
    return status;
}

/* ---- what is kept ---- */

/* Whether a file holds nothing but the beginning of another one's bytes from `offset` on: a cut
 * that died left it. */
static bool
begins_alike (const cutting_t *cutting, int kept, int from, uint64_t offset)
{
    const mr_file_ops_t *ops = cutting->ops;
    char *data = malloc ((size_t)2 * COPY_BYTES);
    bool alike = data != NULL;
    uint64_t done = 0;
    while (alike) {
        ssize_t got = ops->read (ops->context, kept, data, COPY_BYTES, done);
        if (got <= 0) {
            alike = got == 0;
            break;
        }
        char *there = data + COPY_BYTES;
        alike = ops->read (ops->context, from, there, (size_t)got, offset + done) == got &&
                memcmp (data, there, (size_t)got) == 0;
        done += (uint64_t)got;
    }
    free (data);
    return alike;
}

/* A name for what is taken away from `start` on, which no other cut has used. from: the file whose
 * bytes from `offset` on it will hold; -1: it is renamed, so that nothing of it can be there yet.
 * 0, or -1 and errno. */
static int
choose_name (const cutting_t *cutting, uint64_t start, int from, uint64_t offset, char *ret_name)
{
    const mr_file_ops_t *ops = cutting->ops;
    for (int i = 0; i < CUTS_MOST; i++) {
        char suffix[16] = ".cut";
        if (i > 0) {
            snprintf (suffix, sizeof suffix, ".%d.cut", i);
        }
        mr_seglog_name (ret_name, start, suffix);
        int kept = ops->open (ops->context, cutting->dir, ret_name, O_RDONLY);
        if (kept < 0) {
            return errno == ENOENT ? 0 : -1;
        }
        bool ours = from >= 0 && begins_alike (cutting, kept, from, offset);
        ops->close (ops->context, kept);
        if (ours) {
            return 0;
        }
    }
    errno = EEXIST;
    return -1;
}

/* Copy a file from `offset` on into a new one, durably. 0, or -1 and errno. */
static int
copy_rest (const cutting_t *cutting, int from, uint64_t offset, const char *name)
{
    const mr_file_ops_t *ops = cutting->ops;
    char *data = malloc (COPY_BYTES);
    int to = ops->open (ops->context, cutting->dir, name, O_WRONLY | O_CREAT | O_TRUNC);
    int result = data != NULL && to >= 0 ? 0 : -1;
    uint64_t done = 0;
    while (result == 0) {
        ssize_t got = ops->read (ops->context, from, data, COPY_BYTES, offset + done);
        if (got <= 0) {
            result = got < 0 ? -1 : 0;
            break;
        }
        struct iovec iov = {data, (size_t)got};
        result = mr_file_write_all (ops, to, &iov, 1, done);
        done += (uint64_t)got;
    }
    if (result == 0) {
        MR_CRASH_POINT ("logcut.rest.written");
        result = ops->sync_data (ops->context, to);
    }
    int saved = errno;
    if (to >= 0) {
        ops->close (ops->context, to);
    }
    free (data);
    errno = saved;
    return result;
}

/* ---- what is taken away ---- */

static mr_status_t
cut_segment (const cutting_t *cutting, uint64_t start, uint64_t position, mr_error_t *err)
{
    const mr_file_ops_t *ops = cutting->ops;
    char name[MR_SEGLOG_NAME_BYTES];
    int fd = mr_seglog_open_segment (ops, cutting->dir, start, O_RDWR);
    if (fd < 0) {
        return failed (cutting, "cannot open a segment", err);
    }
    uint64_t offset = position - start;
    mr_status_t status = MR_OK;
    int64_t size = ops->size (ops->context, fd);
    bool rest = size > (int64_t)offset; /* none: a cut died behind this */
    if (size < 0 ||
        (rest && (choose_name (cutting, position, fd, offset, name) != 0 ||
                  copy_rest (cutting, fd, offset, name) != 0)) ||
        ops->sync_dir (ops->context, cutting->dir) != 0) {
        status = failed (cutting, "cannot keep what is to be cut", err);
    } else {
        MR_CRASH_POINT ("logcut.rest.kept");
        if (ops->truncate (ops->context, fd, offset) != 0 ||
            ops->sync_data (ops->context, fd) != 0) {
            status = failed (cutting, "cannot cut a segment", err);
        }
        MR_CRASH_POINT ("logcut.rest.gone");
    }
    ops->close (ops->context, fd);
    return status;
}

static mr_status_t
set_aside (const cutting_t *cutting, uint64_t start, mr_error_t *err)
{
    const mr_file_ops_t *ops = cutting->ops;
    char from[MR_SEGLOG_NAME_BYTES];
    char to[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (from, start, ".seg");
    if (choose_name (cutting, start, -1, 0, to) != 0 ||
        ops->rename (ops->context, cutting->dir, from, to) != 0) {
        return failed (cutting, "cannot set a segment aside", err);
    }
    MR_CRASH_POINT ("logcut.segment.aside");
    return MR_OK;
}

static mr_status_t
cut (cutting_t *cutting, uint64_t position, mr_error_t *err)
{
    const mr_file_ops_t *ops = cutting->ops;
    const mr_seglog_place_t place = {ops, cutting->dir, cutting->name};
    mr_status_t status = mr_seglog_list_load (&cutting->list, &place, ".seg", err);
    if (status == MR_OK) {
        status = check_place (cutting, position, err);
    }
    if (status != MR_OK) {
        return status;
    }
    if (ops->unlink (ops->context, cutting->dir, "head") != 0 && errno != ENOENT) {
        return failed (cutting, "cannot remove head", err);
    }
    MR_CRASH_POINT ("logcut.head.gone");
    for (size_t i = cutting->list.count; i > 0; i--) {
        uint64_t start = cutting->list.starts[i - 1];
        if (start < position) {
            return cut_segment (cutting, start, position, err);
        }
        status = set_aside (cutting, start, err);
        if (status != MR_OK) {
            return status;
        }
    }
    return ops->sync_dir (ops->context, cutting->dir) == 0
               ? MR_OK
               : failed (cutting, "cannot sync the directory", err);
}

mr_status_t
mr_seglog_cut (const char *dir, const mr_file_ops_t *ops, uint64_t position, mr_error_t *err)
{
    cutting_t cutting = {.name = dir, .ops = ops != NULL ? ops : mr_file_ops_system ()};
    cutting.dir = cutting.ops->open_dir (cutting.ops->context, dir, false);
    if (cutting.dir < 0) {
        bool missing = errno == ENOENT;
        mr_status_t status = mr_error_errno (err, "%s", dir);
        return missing ? MR_CLOSED : status;
    }
    mr_status_t status = cut (&cutting, position, err);
    mr_seglog_list_release (&cutting.list);
    cutting.ops->close (cutting.ops->context, cutting.dir);
    return status;
}
