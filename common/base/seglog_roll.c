/* Beginning a segment: from a recycled file when there is one. The header is written before the
 * file gets its name, so that no crash shows a segment with another one's header. */
#include "common/base/crashpoint.h"
#include "common/base/seglog.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>

/* The file that becomes the segment, still under its .free name. */
typedef struct {
    char name[MR_SEGLOG_NAME_BYTES];
    int fd;
    bool recycled;
    uint64_t bytes; /* that it had before */
} stock_t;

static int
take_stock (mr_seglog_t *self, uint64_t start, stock_t *ret_stock)
{
    const mr_file_ops_t *ops = self->ops;
    while (self->pool_count > 0) {
        mr_seglog_name (ret_stock->name, self->pool[self->pool_count - 1], ".free");
        int fd = ops->open (ops->context, self->dir, ret_stock->name, O_RDWR);
        int64_t bytes = fd >= 0 ? ops->size (ops->context, fd) : -1;
        if (bytes >= 0) {
            ret_stock->fd = fd;
            ret_stock->recycled = true;
            ret_stock->bytes = (uint64_t)bytes;
            return 0;
        }
        if (fd >= 0) {
            ops->close (ops->context, fd);
        }
        self->pool_count--; /* somebody removed it */
    }
    mr_seglog_name (ret_stock->name, start, ".free");
    ret_stock->fd =
        ops->open (ops->context, self->dir, ret_stock->name, O_RDWR | O_CREAT | O_TRUNC);
    ret_stock->recycled = false;
    ret_stock->bytes = 0;
    return ret_stock->fd < 0 ? -1 : 0;
}

/* A recycled file stays in the pool, a new one goes. */
static void
put_back (mr_seglog_t *self, const stock_t *stock)
{
    int saved = errno;
    self->ops->close (self->ops->context, stock->fd);
    if (!stock->recycled) {
        (void)self->ops->unlink (self->ops->context, self->dir, stock->name);
    }
    errno = saved;
}

static int
write_header (mr_seglog_t *self, uint64_t start, int fd, uint64_t *ret_bytes)
{
    static const char zeros[8];
    mr_seglog_segment_head_t head = {
        .magic = MR_SEGLOG_SEGMENT_MAGIC,
        .version = MR_SEGLOG_VERSION,
        .kind = self->options.kind,
        .header_bytes = (uint32_t)mr_seglog_header_size (self->snapshot.size),
        .log_id = self->id,
        .number = self->segments.count > 0 ? self->number + 1 : 0,
        .start = start,
        .ordinal = self->ordinal,
        .created_ns = self->options.wall_ns (),
        .snapshot_bytes = (uint32_t)self->snapshot.size,
    };
    char none = '\0';
    char *snapshot = self->snapshot.size > 0 ? self->snapshot.data : &none;
    mr_seglog_segment_seal (&head, snapshot);
    size_t padding = head.header_bytes - MR_SEGLOG_SEGMENT_BYTES - head.snapshot_bytes;
    struct iovec iov[3] = {
        {&head, sizeof head},
        {snapshot, self->snapshot.size},
        {(char *)zeros, padding},
    };
    *ret_bytes = head.header_bytes;
    return mr_file_write_all (self->ops, fd, iov, 3, 0);
}

/* The file has its name: from here on it is the last segment. */
static void
adopt (mr_seglog_t *self, uint64_t start, const stock_t *stock, uint64_t header)
{
    pthread_mutex_lock (&self->lock);
    int old = self->fd;
    self->segments.starts[self->segments.count++] = start;
    self->fd = stock->fd;
    self->start = start;
    pthread_mutex_unlock (&self->lock);
    if (old >= 0) {
        self->ops->close (self->ops->context, old);
    }
    self->number = self->segments.count > 1 ? self->number + 1 : 0;
    self->header = header;
    self->tail = header;
    self->recycled = stock->recycled;
    self->allocated = stock->bytes > header ? stock->bytes : header;
    self->must_roll = false;
    self->doubt = false;
    if (stock->recycled) {
        self->pool_count--;
        self->stats.recycled++;
    } else {
        self->stats.made++;
    }
    atomic_store (&self->dir_dirty, true);
}

static mr_status_t
ask_snapshot (mr_seglog_t *self, mr_error_t *err)
{
    mr_buffer_clear (&self->snapshot);
    if (self->options.snapshot == NULL) {
        return MR_OK;
    }
    mr_status_t status = self->options.snapshot (self->options.arg, &self->snapshot);
    if (status != MR_OK) {
        mr_error_set (err, "%s: cannot begin a new file: what it begins with cannot be made (%s)",
                      self->dir_name, mr_status_name (status));
    }
    return status;
}

/* Room in the list beforehand: naming the file must be the last step that can fail. */
static bool
make_room (mr_seglog_list_t *list)
{
    if (!mr_seglog_list_add (list, 0)) {
        return false;
    }
    list->count--;
    return true;
}

mr_status_t
mr_seglog_begin (mr_seglog_t *self, uint64_t start, mr_error_t *err)
{
    mr_status_t status = ask_snapshot (self, err);
    if (status != MR_OK) {
        return status;
    }
    pthread_mutex_lock (&self->lock);
    bool room = make_room (&self->segments);
    pthread_mutex_unlock (&self->lock);
    stock_t stock;
    if (!room || take_stock (self, start, &stock) != 0) {
        return mr_seglog_failed (self, "cannot make a segment", err);
    }
    uint64_t header = 0;
    if (write_header (self, start, stock.fd, &header) != 0) {
        put_back (self, &stock);
        return mr_seglog_failed (self, "cannot write a segment header", err);
    }
    MR_CRASH_POINT ("seglog.roll.header");
    char name[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (name, start, ".seg");
    if (self->ops->rename (self->ops->context, self->dir, stock.name, name) != 0) {
        put_back (self, &stock);
        return mr_seglog_failed (self, "cannot name a segment", err);
    }
    MR_CRASH_POINT ("seglog.roll.named");
    adopt (self, start, &stock, header);
    mr_seglog_head_publish (self, start + header, mr_seglog_synced (self));
    MR_CRASH_POINT ("seglog.roll.published");
    return MR_OK;
}

mr_status_t
mr_seglog_roll (mr_seglog_t *self, mr_error_t *err)
{
    MR_ASSERT (!self->options.read_only);
    mr_status_t status = mr_seglog_mend (self, err);
    if (status != MR_OK) {
        return status;
    }
    if (self->must_roll) {
        return mr_seglog_begin (self, self->roll_at, err);
    }
    return self->tail == self->header ? MR_OK
                                      : mr_seglog_begin (self, self->start + self->tail, err);
}
