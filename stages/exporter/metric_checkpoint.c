#include "stages/exporter/metric_checkpoint.h"

#include "common/base/crashpoint.h"
#include "common/base/dirs.h"
#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 0x4f54524d /* "MRTO" */, VERSION = 1 };

/* In front of the totals. PROTOCOL.md names each byte. */
typedef struct header {
    uint32_t magic;
    uint32_t version;
    uint64_t bytes;
    uint64_t data_hash;
    mr_checkpoint_place_t place;
    uint64_t header_hash; /* of what stands before it */
} header_t;

_Static_assert(sizeof (header_t) == MR_CHECKPOINT_HEADER_BYTES, "header layout");

/* ---- save ---- */

static bool
write_all (int fd, const void *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t wrote = write (fd, (const char *)data + done, bytes - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            errno = wrote == 0 ? EIO : errno;
            return false;
        }
        done += (size_t)wrote;
    }
    return true;
}

mr_status_t
mr_metric_checkpoint_save (const char *path, const mr_checkpoint_place_t *place,
                           const mr_buffer_t *data, bool sync, mr_error_t *err)
{
    header_t header = {
        .magic = MAGIC,
        .version = VERSION,
        .bytes = data->size,
        .place = *place,
        .data_hash = mr_hash64 (data->data != NULL ? data->data : "", data->size),
    };
    header.header_hash = mr_hash64 (&header, offsetof (header_t, header_hash));
    char temporary[PATH_MAX];
    if (snprintf (temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return mr_error_errno (err, "cannot save %s", path);
    }
    int fd = open (temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return mr_error_errno (err, "cannot make %s", temporary);
    }
    bool written = write_all (fd, &header, sizeof header) &&
                   write_all (fd, data->data, data->size) && (!sync || fsync (fd) == 0);
    int failure = errno;
    bool closed = close (fd) == 0;
    MR_CRASH_POINT ("checkpoint.save.written");
    if (!written || !closed || rename (temporary, path) != 0) {
        errno = written ? errno : failure;
        mr_status_t status = mr_error_errno (err, "cannot save %s", path);
        unlink (temporary);
        return status;
    }
    MR_CRASH_POINT ("checkpoint.save.renamed");
    if (sync && mr_dirs_sync_of (path) != 0) { /* frames that are in it go from the spool next */
        return mr_error_errno (err, "cannot save %s", path);
    }
    return MR_OK;
}

/* ---- load ---- */

static mr_status_t
invalid (mr_error_t *err, const char *what)
{
    mr_error_set (err, "totals: %s", what);
    return MR_INVALID;
}

mr_status_t
mr_metric_checkpoint_decode (const void *file, size_t bytes, mr_checkpoint_t *ret_checkpoint,
                             mr_error_t *err)
{
    header_t header;
    if (bytes < sizeof header) {
        return invalid (err, "the file is too short");
    }
    memcpy (&header, file, sizeof header);
    if (header.magic != MAGIC) {
        return invalid (err, "this is no file of totals");
    }
    if (header.version != VERSION) {
        mr_error_set (err, "totals: version %u is not known, only %d", header.version, VERSION);
        return MR_INVALID;
    }
    if (header.header_hash != mr_hash64 (&header, offsetof (header_t, header_hash))) {
        return invalid (err, "the header does not match its checksum");
    }
    if (header.bytes != bytes - sizeof header) {
        return invalid (err, "the file has another length than it says");
    }
    const char *data = (const char *)file + sizeof header;
    if (header.data_hash != mr_hash64 (data, header.bytes)) {
        return invalid (err, "the content does not match its checksum");
    }
    *ret_checkpoint = (mr_checkpoint_t){.place = header.place, .data = data, .bytes = header.bytes};
    return MR_OK;
}

static mr_status_t
read_file (const char *path, mr_buffer_t *content, mr_error_t *err)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED : mr_error_errno (err, "cannot open %s", path);
    }
    mr_status_t status = MR_OK;
    for (;;) {
        status = mr_buffer_reserve (content, 1 << 16);
        if (status != MR_OK) {
            mr_error_set (err, "%s is too large", path);
            break;
        }
        ssize_t got = read (fd, content->data + content->size, 1 << 16);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = mr_error_errno (err, "cannot read %s", path);
        }
        if (got <= 0) {
            break;
        }
        content->size += (size_t)got;
    }
    close (fd);
    return status;
}

mr_status_t
mr_metric_checkpoint_load (const char *path, mr_checkpoint_place_t *ret_place,
                           mr_buffer_t *ret_data, mr_error_t *err)
{
    mr_buffer_t content;
    mr_buffer_init (&content, MR_CHECKPOINT_MAX_BYTES + (1 << 20));
    mr_status_t status = read_file (path, &content, err);
    mr_checkpoint_t checkpoint = {.bytes = 0};
    if (status == MR_OK) {
        status = mr_metric_checkpoint_decode (content.data, content.size, &checkpoint, err);
    }
    if (status == MR_OK && checkpoint.bytes > 0) {
        status = mr_buffer_append (ret_data, checkpoint.data, checkpoint.bytes);
    }
    if (status == MR_OK) {
        *ret_place = checkpoint.place;
    }
    mr_buffer_release (&content);
    return status;
}
