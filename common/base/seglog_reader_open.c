/* Making a reader: which log, whose end, and letting go. */
#include "common/base/seglog_reader.h"

#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

void
mr_seglog_reader_leave (mr_seglog_reader_t *self, mr_seglog_scan_t *scan)
{
    if (scan->fd >= 0) {
        self->ops->close (self->ops->context, scan->fd);
    }
    mr_seglog_scan_file (scan, -1, 0);
}

mr_status_t
mr_seglog_reader_failed (const mr_seglog_reader_t *self, const char *what, mr_error_t *err)
{
    int error = errno;
    mr_error_errno (err, "%s: %s", self->dir_name, what);
    return error == EACCES || error == EPERM || error == ENOTDIR ? MR_CONFIG : MR_SYSTEM;
}

static void
map_head (mr_seglog_reader_t *self)
{
    const mr_file_ops_t *ops = self->ops;
    int fd = ops->open (ops->context, self->dir, "head", O_RDONLY);
    if (fd < 0) {
        return;
    }
    if (ops->size (ops->context, fd) >= MR_SEGLOG_HEAD_BYTES) {
        self->head = ops->map (ops->context, fd, MR_SEGLOG_HEAD_BYTES, false);
        self->head_mapped = self->head != NULL;
    }
    ops->close (ops->context, fd);
}

/* Whether head speaks of this log and this start of the machine. */
static bool
is_live (const mr_seglog_reader_t *self)
{
    const mr_seglog_head_t *head = self->head;
    return head != NULL && atomic_load (&head->ready) == 1 && mr_seglog_head_valid (head) &&
           head->boot[0] == self->boot[0] && head->boot[1] == self->boot[1] &&
           (self->id == 0 || head->log_id == self->id);
}

static uint64_t
find_end (mr_seglog_reader_t *self, bool synced_only)
{
    if (self->head == NULL) {
        map_head (self);
    }
    if (!is_live (self)) {
        return self->rest_end;
    }
    return atomic_load_explicit (synced_only ? &self->head->synced : &self->head->end,
                                 memory_order_acquire);
}

uint64_t
mr_seglog_reader_end (mr_seglog_reader_t *self)
{
    return find_end (self, self->options.synced_only);
}

/* What is not synced (any more: another start of the machine, or nobody asked for it until now) may
 * have been read by whoever asks; it waits there. */
void
mr_seglog_reader_seek (mr_seglog_reader_t *self, uint64_t position)
{
    uint64_t end = find_end (self, false);
    self->position = position < end ? position : end;
    mr_seglog_reader_leave (self, &self->here);
}

bool
mr_seglog_reader_gone (const mr_seglog_reader_t *self, uint64_t position)
{
    return is_live (self) &&
           atomic_load_explicit (&self->head->first, memory_order_acquire) > position;
}

/* Nobody publishes: find id and end by reading the log as open does. */
static mr_status_t
look_at_rest (mr_seglog_reader_t *self, uint16_t kind, mr_error_t *err)
{
    const mr_seglog_options_t options = {
        .dir = self->dir_name,
        .kind = kind,
        .read_only = true,
        .max_payload_bytes = MR_SEGLOG_PAYLOAD_MAX,
        .ops = self->ops,
    };
    mr_seglog_t *log = NULL;
    mr_status_t status = mr_seglog_open (&options, &log, err);
    if (status != MR_OK) {
        return status == MR_CLOSED ? MR_AGAIN : status;
    }
    self->id = mr_seglog_id (log);
    self->rest_end = mr_seglog_end (log);
    mr_seglog_close (&log);
    return MR_OK;
}

/* The kind that the newest readable header names, for look_at_rest. */
static mr_status_t
read_kind (mr_seglog_reader_t *self, uint16_t *ret_kind, mr_error_t *err)
{
    mr_seglog_list_t list = {0};
    const mr_seglog_place_t place = {self->ops, self->dir, self->dir_name};
    mr_status_t status = mr_seglog_list_load (&list, &place, ".seg", err);
    bool found = false;
    for (size_t i = list.count; status == MR_OK && !found && i > 0; i--) {
        int fd = mr_seglog_open_segment (self->ops, self->dir, list.starts[i - 1], O_RDONLY);
        if (fd < 0) {
            continue;
        }
        mr_seglog_segment_head_t head;
        mr_seglog_scan_file (&self->here, fd, list.starts[i - 1]);
        mr_status_t known = mr_seglog_scan_header (&self->here, &head, NULL, err);
        found = known == MR_OK;
        status = known == MR_CONFIG || known == MR_SYSTEM ? known : MR_OK;
        if (found) {
            *ret_kind = head.kind;
        }
        mr_seglog_reader_leave (self, &self->here);
    }
    mr_seglog_list_release (&list);
    if (status == MR_OK && !found) {
        mr_error_set (err, "%s: no log there yet", self->dir_name);
        return MR_AGAIN;
    }
    return status;
}

static mr_status_t
find_log (mr_seglog_reader_t *self, mr_error_t *err)
{
    map_head (self);
    if (is_live (self)) {
        self->id = self->head->log_id;
        return MR_OK;
    }
    uint16_t kind = 0;
    mr_status_t status = read_kind (self, &kind, err);
    return status == MR_OK ? look_at_rest (self, kind, err) : status;
}

/* NULL: no memory. */
static mr_seglog_reader_t *
make (const mr_seglog_reader_options_t *options)
{
    mr_seglog_reader_t *self = calloc (1, sizeof *self);
    char *dir_name = strdup (options->dir);
    if (self == NULL || dir_name == NULL) {
        free (self);
        free (dir_name);
        return NULL;
    }
    self->options = *options;
    self->dir_name = dir_name;
    self->options.dir = dir_name;
    self->ops = options->ops != NULL ? options->ops : mr_file_ops_system ();
    self->dir = -1;
    size_t chunk = options->buffer_bytes != 0 ? options->buffer_bytes : MR_SEGLOG_CHUNK;
    chunk = options->headers_only ? MR_SEGLOG_HEADER_CHUNK : chunk;
    mr_seglog_scan_init (&self->here, self->ops, chunk, MR_SEGLOG_PAYLOAD_MAX);
    mr_seglog_scan_init (&self->there, self->ops, MR_SEGLOG_HEADER_CHUNK, MR_SEGLOG_PAYLOAD_MAX);
    if (self->ops->boot_id (self->ops->context, self->boot) != 0) {
        self->boot[0] = 0;
        self->boot[1] = 0;
    }
    return self;
}

mr_status_t
mr_seglog_reader_new (const mr_seglog_reader_options_t *options, mr_seglog_reader_t **ret_reader,
                      mr_error_t *err)
{
    mr_seglog_reader_t *self = make (options);
    if (self == NULL) {
        errno = ENOMEM;
        return mr_error_errno (err, "%s", options->dir);
    }
    mr_status_t status = MR_OK;
    self->dir = self->ops->open_dir (self->ops->context, self->dir_name, false);
    if (self->dir < 0) {
        bool missing = errno == ENOENT;
        status = mr_seglog_reader_failed (self, "cannot open the directory", err);
        status = missing ? MR_AGAIN : status;
    } else {
        status = find_log (self, err);
    }
    if (status != MR_OK) {
        mr_seglog_reader_destroy (&self);
        return status;
    }
    self->here.log_id = self->id;
    self->there.log_id = self->id;
    mr_seglog_reader_seek (self, options->position);
    *ret_reader = self;
    return MR_OK;
}

mr_status_t
mr_seglog_reader_inside (mr_seglog_t *log, mr_error_t *err)
{
    const mr_seglog_reader_options_t options = {.dir = log->dir_name, .ops = log->ops};
    mr_seglog_reader_t *self = make (&options);
    if (self == NULL) {
        errno = ENOMEM;
        return mr_error_errno (err, "%s", options.dir);
    }
    self->dir = log->ops->open_dir (log->ops->context, log->dir_name, false);
    if (self->dir < 0) {
        mr_status_t status = mr_seglog_reader_failed (self, "cannot open the directory", err);
        mr_seglog_reader_destroy (&self);
        return status;
    }
    self->head = log->head;
    self->boot[0] = log->head->boot[0];
    self->boot[1] = log->head->boot[1];
    self->id = log->id;
    self->there.log_id = log->id;
    log->reader = self;
    return MR_OK;
}

void
mr_seglog_reader_destroy (mr_seglog_reader_t **self_p)
{
    mr_seglog_reader_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    mr_seglog_reader_leave (self, &self->here);
    mr_seglog_reader_leave (self, &self->there);
    mr_seglog_scan_release (&self->here);
    mr_seglog_scan_release (&self->there);
    if (self->head_mapped) {
        self->ops->unmap (self->ops->context, (void *)self->head, MR_SEGLOG_HEAD_BYTES);
    }
    if (self->dir >= 0) {
        self->ops->close (self->ops->context, self->dir);
    }
    free (self->dir_name);
    free (self);
    *self_p = NULL;
}
