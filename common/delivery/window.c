#include "common/delivery/window.h"

#include "common/base/bootid.h"
#include "common/base/crashpoint.h"
#include "common/base/file_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

#define WINDOW_MAGIC UINT64_C (0x31574f444e495752) /* "RWINDOW1" */

enum { WINDOW_VERSION = 1, HEADER_BYTES = 4096 };

typedef struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t ring;
    uint64_t journal;
    uint64_t base;
    uint64_t uuid; /* of this file */
    char boot_id[MR_BOOT_ID_BYTES];
    _Atomic uint64_t watermark;
    _Atomic uint64_t replayed;
    _Atomic uint64_t refused;
} header_t;

typedef struct layout {
    union {
        header_t header;
        uint8_t bytes[HEADER_BYTES];
    } head;
    _Atomic uint64_t words[MR_WINDOW_RING];
} layout_t;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words are changed by several processes");

struct mr_window {
    layout_t *map;
    char path[PATH_MAX];
};

static uint64_t
pack (uint64_t seq, uint8_t generation, uint8_t slot, mr_window_state_t state)
{
    return seq << 16 | (uint64_t)generation << 8 | (uint64_t)(slot & 63) << 2 | (uint64_t)state;
}

static mr_window_word_t
unpack (uint64_t word)
{
    return (mr_window_word_t){
        .seq = word >> 16,
        .generation = (uint8_t)(word >> 8),
        .slot = (uint8_t)(word >> 2 & 63),
        .state = (mr_window_state_t)(word & 3),
    };
}

static _Atomic uint64_t *
place (const mr_window_t *self, uint64_t seq)
{
    return &self->map->words[seq % MR_WINDOW_RING];
}

static mr_status_t
map_file (const char *path, mr_window_t **ret_window, mr_error_t *err)
{
    int fd = open (path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED
                               : mr_error_errno (err, "cannot open the window %s", path);
    }
    struct stat st;
    if (fstat (fd, &st) != 0 || st.st_size != (off_t)sizeof (layout_t)) {
        close (fd);
        return MR_CLOSED; /* not whole: as good as none */
    }
    void *map = mmap (NULL, sizeof (layout_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close (fd);
    mr_window_t *self = calloc (1, sizeof *self);
    if (map == MAP_FAILED || self == NULL) {
        free (self);
        return mr_error_errno (err, "cannot map the window %s", path);
    }
    self->map = map;
    snprintf (self->path, sizeof self->path, "%s", path);
    *ret_window = self;
    return MR_OK;
}

/* Whether it is of this start of the machine. */
static bool
is_present (const header_t *header)
{
    char boot_id[MR_BOOT_ID_BYTES];
    mr_boot_id (boot_id);
    return memcmp (header->boot_id, boot_id, sizeof boot_id) == 0;
}

static mr_status_t
open_checked (const char *path, uint64_t journal, bool of_any_start, mr_window_t **ret_window,
              mr_error_t *err)
{
    mr_window_t *self = NULL;
    mr_status_t status = map_file (path, &self, err);
    if (self == NULL) {
        return status;
    }
    const header_t *header = &self->map->head.header;
    if (header->magic == 0 && header->version == 0) {
        status = MR_CLOSED; /* its pages never came to the disk: as good as none */
    } else if (header->magic != WINDOW_MAGIC || header->version != WINDOW_VERSION ||
               header->ring != MR_WINDOW_RING) {
        mr_error_set (err, "%s is not a window of this version; remove it while nothing runs",
                      path);
        status = MR_INVALID;
    } else if ((journal != 0 && header->journal != journal) ||
               (!of_any_start && !is_present (header))) {
        status = MR_CLOSED;
    }
    if (status != MR_OK) {
        mr_window_close (&self);
        return status;
    }
    *ret_window = self;
    return MR_OK;
}

mr_status_t
mr_window_open (const char *path, uint64_t journal, mr_window_t **ret_window, mr_error_t *err)
{
    return open_checked (path, journal, false, ret_window, err);
}

mr_status_t
mr_window_open_kept (const char *path, mr_window_t **ret_window, mr_error_t *err)
{
    return open_checked (path, 0, true, ret_window, err);
}

bool
mr_window_of_another_start (const char *path)
{
    mr_window_t *self = NULL;
    if (map_file (path, &self, NULL) != MR_OK) {
        return false;
    }
    const header_t *header = &self->map->head.header;
    bool other = header->magic == WINDOW_MAGIC && !is_present (header);
    mr_window_close (&self);
    return other;
}

static mr_status_t
write_file (const char *path, uint64_t journal, uint64_t base, mr_error_t *err)
{
    header_t header = {
        .magic = WINDOW_MAGIC,
        .version = WINDOW_VERSION,
        .ring = MR_WINDOW_RING,
        .journal = journal,
        .base = base,
    };
    mr_boot_id (header.boot_id);
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return mr_error_errno (err, "cannot make the window %s", path);
    }
    int why = posix_fallocate (fd, 0, (off_t)sizeof (layout_t));
    if (why == 0) {
        errno = ENOSPC; /* which a short write does not say */
        bool ok = getrandom (&header.uuid, sizeof header.uuid, 0) == (ssize_t)sizeof header.uuid &&
                  pwrite (fd, &header, sizeof header, 0) == (ssize_t)sizeof header;
        why = ok ? 0 : errno;
    }
    close (fd);
    errno = why;
    if (why == 0) {
        return MR_OK;
    }
    (void)mr_error_errno (err, "cannot write the window %s", path);
    return why == ENOSPC || why == EDQUOT ? MR_AGAIN : MR_SYSTEM;
}

mr_status_t
mr_window_prepare (const char *path, uint64_t journal, uint64_t base, mr_window_t **ret_window,
                   mr_error_t *err)
{
    char made[PATH_MAX];
    if (snprintf (made, sizeof made, "%s.new", path) >= (int)sizeof made) {
        mr_error_set (err, "the path is too long: %.80s...", path);
        return MR_CONFIG;
    }
    mr_status_t status = write_file (made, journal, base, err);
    if (status == MR_OK) {
        status = map_file (made, ret_window, err);
    }
    if (status == MR_CLOSED) {
        mr_error_set (err, "the window %s vanished while it was made", made);
        status = MR_SYSTEM;
    }
    if (status == MR_OK) {
        snprintf ((*ret_window)->path, sizeof (*ret_window)->path, "%s", path);
    }
    return status;
}

mr_status_t
mr_window_install (mr_window_t *self, mr_error_t *err)
{
    char made[PATH_MAX + 8];
    snprintf (made, sizeof made, "%s.new", self->path);
    MR_CRASH_POINT ("window.install.written");
    if (rename (made, self->path) != 0) {
        return mr_error_errno (err, "cannot rename %s", made);
    }
    MR_CRASH_POINT ("window.install.named");
    return MR_OK;
}

static mr_status_t
refused (const char *what, const char *path, mr_error_t *err)
{
    bool may_pass = mr_file_may_pass (errno);
    mr_status_t status = mr_error_errno (err, "cannot %s the window %s", what, path);
    return may_pass ? MR_AGAIN : status;
}

mr_status_t
mr_window_keep (const char *path, uint64_t journal, mr_error_t *err)
{
    mr_window_t *old = NULL;
    char kept[PATH_MAX + 32];
    mr_error_t unusable;
    if (mr_window_open (path, 0, &old, &unusable) != MR_OK) {
        return MR_OK; /* none, or one that says nothing */
    }
    uint64_t of = mr_window_journal (old);
    bool says_nothing = mr_window_top (old) == 0;
    bool durable = says_nothing || msync (old->map, sizeof (layout_t), MS_SYNC) == 0;
    mr_window_close (&old);
    if (of == journal) {
        return MR_OK;
    }
    if (!durable) {
        return refused ("sync", path, err);
    }
    snprintf (kept, sizeof kept, "%s.%016" PRIx64, path, of);
    if ((says_nothing ? unlink (path) : rename (path, kept)) != 0) {
        return refused ("keep", path, err);
    }
    MR_CRASH_POINT ("window.keep.named");
    return MR_OK;
}

void
mr_window_close (mr_window_t **self_p)
{
    mr_window_t *self = *self_p;
    if (self != NULL) {
        munmap (self->map, sizeof (layout_t));
        free (self);
        *self_p = NULL;
    }
}

uint64_t
mr_window_journal (const mr_window_t *self)
{
    return self->map->head.header.journal;
}

uint64_t
mr_window_base (const mr_window_t *self)
{
    return self->map->head.header.base;
}

void
mr_window_note_watermark (mr_window_t *self, uint64_t seq)
{
    atomic_store (&self->map->head.header.watermark, seq);
    MR_CRASH_POINT ("window.watermark.noted");
}

uint64_t
mr_window_watermark (const mr_window_t *self)
{
    return atomic_load (&self->map->head.header.watermark);
}

void
mr_window_count_replayed (mr_window_t *self)
{
    atomic_fetch_add (&self->map->head.header.replayed, 1);
}

void
mr_window_count_refused (mr_window_t *self)
{
    atomic_fetch_add (&self->map->head.header.refused, 1);
}

uint64_t
mr_window_replayed (const mr_window_t *self)
{
    return atomic_load (&self->map->head.header.replayed);
}

uint64_t
mr_window_refused (const mr_window_t *self)
{
    return atomic_load (&self->map->head.header.refused);
}

bool
mr_window_is_current (const mr_window_t *self)
{
    uint64_t uuid = 0;
    int fd = open (self->path, O_RDONLY | O_CLOEXEC);
    bool same =
        fd >= 0 &&
        pread (fd, &uuid, sizeof uuid, (off_t)offsetof (header_t, uuid)) == (ssize_t)sizeof uuid &&
        uuid == self->map->head.header.uuid;
    if (fd >= 0) {
        close (fd);
    }
    return same;
}

mr_window_word_t
mr_window_load (const mr_window_t *self, uint64_t seq)
{
    return unpack (atomic_load (place (self, seq)));
}

bool
mr_window_settled (const mr_window_t *self, uint64_t seq)
{
    mr_window_word_t word = mr_window_load (self, seq);
    return word.seq > seq || (word.seq == seq && word.state == MR_WINDOW_DONE);
}

uint64_t
mr_window_settled_through (const mr_window_t *self, uint64_t noted, uint64_t top)
{
    uint64_t seq = noted > mr_window_base (self) ? noted : mr_window_base (self);
    if (top > MR_WINDOW_RING && seq < top - MR_WINDOW_RING) {
        seq = top - MR_WINDOW_RING;
    }
    while (seq < top && mr_window_settled (self, seq + 1)) {
        seq++;
    }
    return seq;
}

uint64_t
mr_window_settled_from (const mr_window_t *self, uint64_t from)
{
    uint64_t seq = from;
    while (seq - from < MR_WINDOW_RING && mr_window_settled (self, seq + 1)) {
        seq++;
    }
    return seq;
}

uint64_t
mr_window_unsettled (const mr_window_t *self)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < MR_WINDOW_RING; i++) {
        mr_window_word_t word = unpack (atomic_load (&self->map->words[i]));
        count += word.state == MR_WINDOW_SENT || word.state == MR_WINDOW_CLAIMED ? 1 : 0;
    }
    return count;
}

uint64_t
mr_window_top (const mr_window_t *self)
{
    uint64_t top = mr_window_base (self);
    for (uint64_t i = 0; i < MR_WINDOW_RING; i++) {
        mr_window_word_t word = unpack (atomic_load (&self->map->words[i]));
        if (word.state != MR_WINDOW_NEVER && word.seq > top) {
            top = word.seq;
        }
    }
    return top;
}

uint64_t
mr_window_under_way (const mr_window_t *self)
{
    uint64_t top = 0;
    for (uint64_t i = 0; i < MR_WINDOW_RING; i++) {
        mr_window_word_t word = unpack (atomic_load (&self->map->words[i]));
        bool is_open = word.state == MR_WINDOW_SENT || word.state == MR_WINDOW_CLAIMED;
        top = is_open && word.seq > top ? word.seq : top;
    }
    return top;
}

void
mr_window_send (mr_window_t *self, uint64_t seq)
{
    mr_window_word_t before = mr_window_load (self, seq);
    MR_ASSERT (seq <= MR_WINDOW_MAX_SEQ && before.seq < seq &&
               (before.state == MR_WINDOW_NEVER || before.state == MR_WINDOW_DONE));
    atomic_store (place (self, seq), pack (seq, 0, 0, MR_WINDOW_SENT));
}

void
mr_window_mark_done (mr_window_t *self, uint64_t seq, uint8_t slot)
{
    atomic_store (place (self, seq), pack (seq, 0, slot, MR_WINDOW_DONE));
}

bool
mr_window_claim (mr_window_t *self, uint64_t seq, uint8_t generation, uint8_t slot)
{
    uint64_t expected = pack (seq, generation, 0, MR_WINDOW_SENT);
    return atomic_compare_exchange_strong (place (self, seq), &expected,
                                           pack (seq, generation, slot, MR_WINDOW_CLAIMED));
}

void
mr_window_done (mr_window_t *self, uint64_t seq, uint8_t slot)
{
    mr_window_word_t word = mr_window_load (self, seq);
    MR_ASSERT (word.seq == seq && word.state == MR_WINDOW_CLAIMED && word.slot == slot);
    atomic_store (place (self, seq), pack (seq, word.generation, slot, MR_WINDOW_DONE));
}

void
mr_window_release (mr_window_t *self, uint64_t seq, uint8_t slot)
{
    mr_window_word_t word = mr_window_load (self, seq);
    MR_ASSERT (word.seq == seq && word.state == MR_WINDOW_CLAIMED && word.slot == slot);
    atomic_store (place (self, seq), pack (seq, (uint8_t)(word.generation + 1), 0, MR_WINDOW_SENT));
}

void
mr_window_each_claimed (mr_window_t *self, uint8_t slot, mr_window_claimed_fn *fn, void *arg)
{
    for (uint64_t i = 0; i < MR_WINDOW_RING; i++) {
        mr_window_word_t word = unpack (atomic_load (&self->map->words[i]));
        if (word.state == MR_WINDOW_CLAIMED && word.slot == slot) {
            fn (arg, word.seq);
        }
    }
}
