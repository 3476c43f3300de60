/* A cursor file of any bytes: it is read, refused, or new; a commit always makes it whole again.
 *
 * Input: byte 0: bit 0 repair the checksums of both slots, as somebody who changes them on purpose
 * could. The rest is the file, read as far as it goes and padded with zeros. */
#include "common/base/hash.h"
#include "common/delivery/cursor.h"
#include "tests/fuzz/harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SLOT_BYTES = 512,
    FILE_BYTES = 2 * SLOT_BYTES,
    CHECK_1 = 152,
    CHECK_2 = 408,
    NUMBER_TOP = 23, /* the highest byte of the commit's number */
};

static const uint64_t magic = UINT64_C (0x31524f5352554352);

static void
repair (uint8_t *slot)
{
    uint64_t version = slot[8] % 4;
    memcpy (slot, &magic, sizeof magic);
    memcpy (slot + 8, &version, sizeof version);
    slot[NUMBER_TOP] &= 0x3f; /* no life is long enough for a commit beyond the last number */
    size_t at = version == 1 ? CHECK_1 : CHECK_2;
    uint64_t check = mr_hash64 (slot, at);
    memcpy (slot + at, &check, sizeof check);
}

static void
check_commit (mr_cursor_t *cursor, const char *path)
{
    mr_cursor_state_t state = *mr_cursor_state (cursor);
    mr_cursor_state_t read;
    mr_error_t err;
    state.position++;
    mr_cursor_drop (&state, state.spool, 3);
    mr_cursor_commit (cursor, &state);
    MR_FUZZ_CHECK (mr_cursor_read (path, &read, &err) == MR_OK);
    MR_FUZZ_CHECK (memcmp (&read, &state, sizeof state) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    uint8_t file[FILE_BYTES] = {0};
    size_t size = bytes > 0 ? bytes - 1 : 0;
    memcpy (file, data + (bytes > 0 ? 1 : 0), size < FILE_BYTES ? size : FILE_BYTES);
    if (bytes > 0 && (data[0] & 1) != 0) {
        repair (file);
        repair (file + SLOT_BYTES);
    }
    int fd = memfd_create ("cursor", MFD_CLOEXEC);
    char path[64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    MR_FUZZ_CHECK (write (fd, file, sizeof file) == (ssize_t)sizeof file);
    mr_cursor_t *cursor = NULL;
    mr_cursor_state_t read;
    mr_error_t err;
    mr_status_t status = mr_cursor_read (path, &read, &err);
    MR_FUZZ_CHECK (status == MR_OK || status == MR_CLOSED || status == MR_INVALID);
    mr_status_t opened = mr_cursor_open (path, &cursor, &err);
    MR_FUZZ_CHECK (opened == (status == MR_INVALID ? MR_INVALID : MR_OK));
    if (opened == MR_OK) {
        MR_FUZZ_CHECK (status == MR_CLOSED ||
                       memcmp (&read, mr_cursor_state (cursor), sizeof read) == 0);
        for (int i = 0; i < 3; i++) {
            check_commit (cursor, path);
        }
    }
    mr_cursor_close (&cursor);
    close (fd);
    return 0;
}
