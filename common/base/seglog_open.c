#include "common/base/seglog.h"

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

mr_status_t
mr_seglog_failed (const mr_seglog_t *self, const char *what, mr_error_t *err)
{
    int error = errno;
    mr_error_errno (err, "%s: %s", self->dir_name, what);
    if (mr_file_may_pass (error)) {
        return MR_AGAIN;
    }
    return error == EACCES || error == EPERM || error == ENOTDIR ? MR_CONFIG : MR_SYSTEM;
}

static void
check_options (const mr_seglog_options_t *options)
{
    MR_ASSERT (options->dir != NULL && options->kind > 0);
    MR_ASSERT (options->segment_bytes >= MR_SEGLOG_SEGMENT_MIN || options->read_only);
    MR_ASSERT (options->max_payload_bytes > 0 &&
               options->max_payload_bytes <= MR_SEGLOG_PAYLOAD_MAX);
    MR_ASSERT (options->pool_segments <= MR_SEGLOG_POOL_MAX);
    MR_ASSERT (options->keep_frames <= MR_SEGLOG_KEEP_MAX);
    MR_ASSERT (options->index_frames <= MR_SEGLOG_INDEX_MAX);
    MR_ASSERT (options->index_word < MR_SEGLOG_WORDS);
}

/* NULL: no memory. */
static mr_seglog_t *
make (const mr_seglog_options_t *options)
{
    mr_seglog_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->options = *options;
    self->ops = options->ops != NULL ? options->ops : mr_file_ops_system ();
    if (self->options.wall_ns == NULL) {
        self->options.wall_ns = mr_clock_wall_ns;
    }
    self->dir = -1;
    self->fd = -1;
    self->head_fd = -1;
    self->sync_again = UINT64_MAX;
    atomic_store (&self->dir_dirty, true); /* names made in a former life may not be durable */
    self->head = &self->own_head;
    pthread_mutex_init (&self->lock, NULL);
    mr_buffer_init (&self->snapshot, MR_SEGLOG_SNAPSHOT_MAX);
    self->dir_name = strdup (options->dir);
    self->options.dir = self->dir_name;
    self->hash_state = mr_hash_state_new ();
    mr_status_t indexed = mr_seglog_index_init (&self->index, options->index_frames,
                                                options->index_word, options->keep_frames);
    if (self->dir_name == NULL || self->hash_state == NULL || indexed != MR_OK) {
        mr_seglog_close (&self);
    }
    return self;
}

mr_status_t
mr_seglog_open (const mr_seglog_options_t *options, mr_seglog_t **ret_log, mr_error_t *err)
{
    check_options (options);
    mr_seglog_t *self = make (options);
    if (self == NULL) {
        errno = ENOMEM;
        return mr_error_errno (err, "%s", options->dir);
    }
    mr_status_t status = MR_OK;
    self->dir = self->ops->open_dir (self->ops->context, self->dir_name, !options->read_only);
    if (self->dir < 0) {
        status = errno == ENOENT && options->read_only ? MR_CLOSED : MR_OK;
        mr_status_t failed = mr_seglog_failed (self, "cannot open the directory", err);
        status = status == MR_CLOSED ? MR_CLOSED : failed;
    }
    if (status == MR_OK) {
        status = mr_seglog_head_open (self, err);
    }
    if (status == MR_OK) {
        status = mr_seglog_recover (self, err);
    }
    if (status != MR_OK) {
        mr_seglog_close (&self);
        return status;
    }
    *ret_log = self;
    return MR_OK;
}

void
mr_seglog_close (mr_seglog_t **self_p)
{
    mr_seglog_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    mr_seglog_reader_destroy (&self->reader);
    mr_seglog_head_close (self);
    if (self->fd >= 0) {
        self->ops->close (self->ops->context, self->fd);
    }
    if (self->dir >= 0) {
        self->ops->close (self->ops->context, self->dir);
    }
    mr_seglog_index_release (&self->index);
    mr_seglog_list_release (&self->segments);
    mr_buffer_release (&self->snapshot);
    mr_hash_state_destroy (&self->hash_state);
    pthread_mutex_destroy (&self->lock);
    free (self->dir_name);
    free (self);
    *self_p = NULL;
}

uint64_t
mr_seglog_id (const mr_seglog_t *self)
{
    return self->id;
}

bool
mr_seglog_unlinked (const mr_seglog_t *self)
{
    struct stat file;
    return self->ops == mr_file_ops_system () && self->fd >= 0 && fstat (self->fd, &file) == 0 &&
           file.st_nlink == 0;
}

void
mr_seglog_stats (const mr_seglog_t *self, mr_seglog_stats_t *ret_stats)
{
    *ret_stats = self->stats;
    ret_stats->id = self->id;
    ret_stats->first = mr_seglog_first (self);
    ret_stats->end = mr_seglog_end (self);
    ret_stats->synced = mr_seglog_synced (self);
    ret_stats->next_ordinal = self->ordinal;
    ret_stats->segments = self->segments.count;
    ret_stats->pool_segments = self->pool_count;
}

/* One header's snapshot into `out`. */
static mr_status_t
take_snapshot (const mr_seglog_t *self, uint64_t start, mr_buffer_t *out, uint64_t *ret_from)
{
    int fd = mr_seglog_open_segment (self->ops, self->dir, start, O_RDONLY);
    if (fd < 0) {
        return MR_INVALID;
    }
    mr_seglog_scan_t scan;
    mr_seglog_scan_init (&scan, self->ops, MR_SEGLOG_HEADER_CHUNK, 0);
    mr_seglog_scan_file (&scan, fd, start);
    mr_seglog_segment_head_t head;
    const char *data = NULL;
    mr_status_t status = mr_seglog_scan_header (&scan, &head, &data, NULL);
    if (status == MR_OK && head.log_id != self->id) {
        status = MR_INVALID;
    }
    if (status == MR_OK) {
        mr_buffer_clear (out);
        status = mr_buffer_append (out, data, head.snapshot_bytes);
        *ret_from = start + head.header_bytes;
    }
    mr_seglog_scan_release (&scan);
    self->ops->close (self->ops->context, fd);
    return status;
}

mr_status_t
mr_seglog_snapshot (mr_seglog_t *self, mr_buffer_t *out, uint64_t *ret_from, mr_error_t *err)
{
    for (size_t i = self->segments.count; i > 0; i--) {
        mr_status_t status = take_snapshot (self, self->segments.starts[i - 1], out, ret_from);
        if (status == MR_OK) {
            return MR_OK;
        }
        if (status == MR_SYSTEM) {
            return mr_error_errno (err, "%s: cannot read a snapshot", self->dir_name);
        }
    }
    mr_buffer_clear (out);
    *ret_from = mr_seglog_first (self);
    mr_error_set (err, "%s: no segment header is readable", self->dir_name);
    return MR_CLOSED;
}
