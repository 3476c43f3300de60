#include "common/delivery/ceiling.h"

#include "common/base/bootid.h"
#include "common/base/crashpoint.h"
#include "common/base/dirs.h"
#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CEILING_MAGIC_1 UINT64_C (0x31474e494c494543) /* "CEILING1" */
#define CEILING_MAGIC UINT64_C (0x32474e494c494543)   /* "CEILING2" */

typedef struct layout {
    uint64_t magic;
    uint64_t ceiling;
    char boot_id[MR_BOOT_ID_BYTES];
    uint64_t floor; /* of this start of the machine: the first number of the present block */
    uint64_t check; /* hash of all before */
} layout_t;

/* The first version knew no floor. */
typedef struct layout_1 {
    uint64_t magic;
    uint64_t ceiling;
    char boot_id[MR_BOOT_ID_BYTES];
    uint64_t check;
} layout_1_t;

static bool
take_version_1 (const void *data, layout_t *ret_layout)
{
    layout_1_t old;
    memcpy (&old, data, sizeof old);
    if (old.magic != CEILING_MAGIC_1 ||
        old.check != mr_hash64 (&old, offsetof (layout_1_t, check))) {
        return false;
    }
    *ret_layout = (layout_t){.magic = CEILING_MAGIC, .ceiling = old.ceiling};
    memcpy (ret_layout->boot_id, old.boot_id, sizeof old.boot_id);
    return true;
}

/* MR_OK; MR_CLOSED: there is none; MR_INVALID; MR_SYSTEM. */
static mr_status_t
read_layout (const char *dir, layout_t *ret_layout, mr_error_t *err)
{
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/ceiling", dir);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED : mr_error_errno (err, "cannot open %s", path);
    }
    layout_t layout = {0};
    ssize_t bytes = read (fd, &layout, sizeof layout);
    close (fd);
    bool whole = bytes == (ssize_t)sizeof layout && layout.magic == CEILING_MAGIC &&
                 layout.check == mr_hash64 (&layout, offsetof (layout_t, check));
    if (whole) {
        *ret_layout = layout;
        return MR_OK;
    }
    if (bytes == (ssize_t)sizeof (layout_1_t) && take_version_1 (&layout, ret_layout)) {
        return MR_OK;
    }
    mr_error_set (err, "%s is broken; restore it, or move the whole journal away to begin anew",
                  path);
    return MR_INVALID;
}

mr_status_t
mr_ceiling_open (const char *dir, uint64_t *next_seq, uint64_t *ret_ceiling, mr_error_t *err)
{
    layout_t layout;
    mr_status_t status = read_layout (dir, &layout, err);
    if (status == MR_CLOSED) {
        *ret_ceiling = 0; /* none was given out yet */
        return MR_OK;
    }
    if (status != MR_OK) {
        return status;
    }
    char boot_id[MR_BOOT_ID_BYTES];
    mr_boot_id (boot_id);
    bool same_boot = memcmp (boot_id, layout.boot_id, sizeof boot_id) == 0;
    uint64_t floor = same_boot ? layout.floor : layout.ceiling + 1;
    *next_seq = *next_seq < floor ? floor : *next_seq;
    *ret_ceiling = layout.ceiling;
    return MR_OK;
}

static int
write_durably (const char *path, const layout_t *layout)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return -1;
    }
    errno = ENOSPC; /* which a short write does not say */
    int failed = write (fd, layout, sizeof *layout) != (ssize_t)sizeof *layout || fsync (fd) != 0;
    int error = errno;
    close (fd);
    errno = error;
    return failed ? -1 : 0;
}

static mr_status_t
replace (const char *dir, const layout_t *layout, mr_error_t *err)
{
    char path[PATH_MAX + 16];
    char made[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/ceiling", dir);
    snprintf (made, sizeof made, "%s/ceiling.new", dir);
    bool named = false;
    if (write_durably (made, layout) == 0) {
        MR_CRASH_POINT ("ceiling.replace.written");
        named = rename (made, path) == 0;
    }
    if (named) {
        MR_CRASH_POINT ("ceiling.replace.named");
    }
    if (!named || mr_dirs_sync (dir) != 0) {
        (void)mr_error_errno (err, "cannot write %s", path);
        return MR_AGAIN;
    }
    MR_CRASH_POINT ("ceiling.replace.durable");
    return MR_OK;
}

mr_status_t
mr_ceiling_raise (const char *dir, uint64_t next_seq, uint64_t block, uint64_t *ret_ceiling,
                  mr_error_t *err)
{
    layout_t layout = {.magic = CEILING_MAGIC, .ceiling = next_seq + block, .floor = next_seq};
    mr_boot_id (layout.boot_id);
    layout.check = mr_hash64 (&layout, offsetof (layout_t, check));
    mr_status_t status = replace (dir, &layout, err);
    if (status == MR_OK) {
        *ret_ceiling = layout.ceiling;
    }
    return status;
}

mr_status_t
mr_ceiling_distrust (const char *dir, mr_error_t *err)
{
    layout_t layout;
    mr_status_t status = read_layout (dir, &layout, err);
    if (status != MR_OK) {
        return status == MR_CLOSED ? MR_OK : status;
    }
    memset (layout.boot_id, 0, sizeof layout.boot_id);
    layout.check = mr_hash64 (&layout, offsetof (layout_t, check));
    return replace (dir, &layout, err);
}
