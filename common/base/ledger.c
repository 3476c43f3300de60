#include "common/base/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER_MAGIC UINT64_C (0x3152474445474452) /* "RDGEDGR1" */

enum { LEDGER_VERSION = 1, FILE_BYTES = 4096 };

typedef struct layout {
    uint64_t magic;
    uint64_t version;
    uint64_t journal;
    _Atomic uint64_t received;
    _Atomic uint64_t exported;
    _Atomic uint64_t filtered;
    _Atomic uint64_t dead;
    _Atomic uint64_t dropped;
    _Atomic uint64_t batches;
    _Atomic uint64_t batches_done;
    _Atomic uint64_t replayed;
    _Atomic uint64_t refused;
} layout_t;

struct mr_ledger {
    layout_t *map;
};

static mr_status_t
check_layout (const layout_t *layout, const char *path, mr_error_t *err)
{
    if (layout->magic != LEDGER_MAGIC) {
        mr_error_set (err, "%s is not a ledger; move it away to begin with a new journal", path);
        return MR_INVALID;
    }
    if (layout->version != LEDGER_VERSION) {
        mr_error_set (err,
                      "%s has format %llu, this program knows %d; use the program that made it",
                      path, (unsigned long long)layout->version, LEDGER_VERSION);
        return MR_INVALID;
    }
    return MR_OK;
}

/* Made under another name first: a ledger is whole or not there. */
static mr_status_t
create_file (const char *path, mr_error_t *err)
{
    char made[PATH_MAX];
    snprintf (made, sizeof made, "%s.new", path);
    int fd = open (made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return mr_error_errno (err, "cannot make the ledger %s", made);
    }
    uint8_t bytes[FILE_BYTES] = {0};
    uint64_t head[3] = {LEDGER_MAGIC, LEDGER_VERSION, 0};
    bool ok = getrandom (&head[2], sizeof head[2], 0) == (ssize_t)sizeof head[2];
    memcpy (bytes, head, sizeof head);
    ok = ok && write (fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes && rename (made, path) == 0;
    mr_status_t status = ok ? MR_OK : mr_error_errno (err, "cannot write the ledger %s", path);
    close (fd);
    return status;
}

static mr_status_t
map_file (const char *path, int flags, layout_t **ret_map, mr_error_t *err)
{
    int fd = open (path, flags | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED
                               : mr_error_errno (err, "cannot open the ledger %s", path);
    }
    struct stat st;
    if (fstat (fd, &st) != 0 || st.st_size != FILE_BYTES) {
        close (fd);
        mr_error_set (err, "%s is not a ledger; move it away to begin with a new journal", path);
        return MR_INVALID;
    }
    int protection = flags == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ;
    void *map = mmap (NULL, FILE_BYTES, protection, MAP_SHARED, fd, 0);
    close (fd);
    if (map == MAP_FAILED) {
        return mr_error_errno (err, "cannot map the ledger %s", path);
    }
    mr_status_t status = check_layout (map, path, err);
    if (status != MR_OK) {
        munmap (map, FILE_BYTES);
        return status;
    }
    *ret_map = map;
    return MR_OK;
}

mr_status_t
mr_ledger_open (const char *path, mr_ledger_t **ret_ledger, mr_error_t *err)
{
    layout_t *map = NULL;
    mr_status_t status = map_file (path, O_RDWR, &map, err);
    if (status == MR_CLOSED) {
        status = create_file (path, err);
        if (status == MR_OK) {
            status = map_file (path, O_RDWR, &map, err);
        }
    }
    if (status != MR_OK) {
        return status == MR_CLOSED ? MR_SYSTEM : status;
    }
    mr_ledger_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        munmap (map, FILE_BYTES);
        return mr_error_errno (err, "ledger");
    }
    self->map = map;
    *ret_ledger = self;
    return MR_OK;
}

void
mr_ledger_close (mr_ledger_t **self_p)
{
    mr_ledger_t *self = *self_p;
    if (self != NULL) {
        munmap (self->map, FILE_BYTES);
        free (self);
        *self_p = NULL;
    }
}

/* The settled sums first and received last: a reader never sees more settled than received. */
static mr_ledger_counts_t
read_counts (const layout_t *map)
{
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): mr_error_errno never returns MR_OK
    mr_ledger_counts_t counts = {.journal = map->journal};
    counts.batches_done = atomic_load (&map->batches_done);
    counts.exported = atomic_load (&map->exported);
    counts.filtered = atomic_load (&map->filtered);
    counts.dead = atomic_load (&map->dead);
    counts.dropped = atomic_load (&map->dropped);
    counts.replayed = atomic_load (&map->replayed);
    counts.refused = atomic_load (&map->refused);
    counts.received = atomic_load (&map->received);
    counts.batches = atomic_load (&map->batches);
    return counts;
}

mr_ledger_counts_t
mr_ledger_counts (const mr_ledger_t *self)
{
    return read_counts (self->map);
}

static void
add (_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store (counter, atomic_load (counter) + value); /* one writer */
}

uint64_t
mr_ledger_made (mr_ledger_t *self, uint64_t received)
{
    add (&self->map->received, received);
    add (&self->map->batches, 1);
    return atomic_load (&self->map->batches);
}

void
mr_ledger_settled (mr_ledger_t *self, uint64_t exported, uint64_t filtered, uint64_t dead)
{
    add (&self->map->exported, exported);
    add (&self->map->filtered, filtered);
    add (&self->map->dead, dead);
    add (&self->map->batches_done, 1);
}

mr_status_t
mr_ledger_read (const char *path, mr_ledger_counts_t *ret_counts, mr_error_t *err)
{
    layout_t *map = NULL;
    mr_status_t status = map_file (path, O_RDONLY, &map, err);
    if (status == MR_OK) {
        *ret_counts = read_counts (map);
        munmap (map, FILE_BYTES);
    }
    return status;
}
