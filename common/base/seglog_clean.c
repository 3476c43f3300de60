/* Opening, first part: files that a death or a power loss left and that are no part of the log. */
#include "common/base/crashpoint.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Files in stock may hold frames of a tail that a power loss took: they are not used again. */
static mr_status_t
drop_stock (mr_seglog_t *self, mr_error_t *err)
{
    mr_seglog_list_t stock = {0};
    const mr_seglog_place_t place = {self->ops, self->dir, self->dir_name};
    mr_status_t status = mr_seglog_list_load (&stock, &place, ".free", err);
    for (size_t i = 0; status == MR_OK && i < stock.count; i++) {
        char name[MR_SEGLOG_NAME_BYTES];
        mr_seglog_name (name, stock.starts[i], ".free");
        if (self->ops->unlink (self->ops->context, self->dir, name) != 0) {
            status = mr_seglog_failed (self, "cannot remove a .free file", err);
        }
        MR_CRASH_POINT ("seglog.stock.dropped");
    }
    mr_seglog_list_release (&stock);
    return status;
}

/* A power loss may bring back the old name of a recycled file: its header names another place. */
static bool
is_stale (mr_seglog_t *self, uint64_t start)
{
    int fd = mr_seglog_open_segment (self->ops, self->dir, start, O_RDONLY);
    if (fd < 0) {
        return false;
    }
    mr_seglog_scan_t scan;
    mr_seglog_scan_init (&scan, self->ops, MR_SEGLOG_HEADER_CHUNK, 0);
    mr_seglog_scan_file (&scan, fd, start);
    const char *data = NULL;
    mr_seglog_segment_head_t head = {0};
    bool stale = false;
    if (mr_seglog_scan_view (&scan, 0, sizeof head, UINT64_MAX, &data) == MR_OK) {
        memcpy (&head, data, sizeof head);
        stale = mr_seglog_segment_sizes_ok (&head) && head.start > start &&
                mr_seglog_scan_view (&scan, 0, head.header_bytes, UINT64_MAX, &data) == MR_OK &&
                mr_seglog_segment_sound (&head, data + sizeof head, head.start);
    }
    mr_seglog_scan_release (&scan);
    self->ops->close (self->ops->context, fd);
    return stale;
}

mr_status_t
mr_seglog_remove (mr_seglog_t *self, size_t i, bool aside, mr_error_t *err)
{
    const mr_file_ops_t *ops = self->ops;
    char name[MR_SEGLOG_NAME_BYTES];
    char other[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (name, self->segments.starts[i], ".seg");
    mr_seglog_name (other, self->segments.starts[i], ".corrupt");
    if (!self->options.read_only) {
        int result = aside ? ops->rename (ops->context, self->dir, name, other)
                           : ops->unlink (ops->context, self->dir, name);
        if (result != 0) {
            return mr_seglog_failed (self, "cannot remove a segment that holds nothing", err);
        }
        MR_CRASH_POINT ("seglog.recover.removed");
        /* A power loss must not bring it back among segments that are made from here on. */
        if (ops->sync_dir (ops->context, self->dir) != 0) {
            return mr_seglog_failed (self, "cannot sync the directory", err);
        }
    }
    self->segments.count--;
    memmove (self->segments.starts + i, self->segments.starts + i + 1,
             (self->segments.count - i) * sizeof *self->segments.starts);
    return MR_OK;
}

mr_status_t
mr_seglog_clean (mr_seglog_t *self, mr_error_t *err)
{
    mr_status_t status = drop_stock (self, err);
    while (status == MR_OK && self->segments.count > 1 &&
           is_stale (self, self->segments.starts[0])) {
        status = mr_seglog_remove (self, 0, false, err);
    }
    return status;
}
