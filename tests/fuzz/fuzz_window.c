/* A window file of any bytes: it is opened or refused, whoever looks through its words comes to an
 * end, and the steps of a batch go on from any word.
 *
 * Input: byte 0: bit 0 the header is made right, bit 1 the file is cut short, bits 2 to 7 a slot.
 * Bytes 1 and 2: the first word that is filled. Then the header's first 80 bytes, and words. */
#include "common/base/bootid.h"
#include "common/delivery/window.h"
#include "tests/fuzz/harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PREFIX = 3, HEAD = 80, HEADER_BYTES = 4096, WORDS_MOST = 2048, SLOT = 5 };

static const uint64_t magic = UINT64_C (0x31574f444e495752);
static const off_t file_bytes = HEADER_BYTES + (off_t)MR_WINDOW_RING * 8;

static void
make_right (uint8_t *head)
{
    uint32_t version = 1;
    uint32_t ring = MR_WINDOW_RING;
    char boot_id[MR_BOOT_ID_BYTES];
    mr_boot_id (boot_id);
    memcpy (head, &magic, sizeof magic);
    memcpy (head + 8, &version, sizeof version);
    memcpy (head + 12, &ring, sizeof ring);
    memcpy (head + 40, boot_id, sizeof boot_id);
}

static void
count_claimed (void *arg, uint64_t seq)
{
    unsigned *count = arg;
    (void)seq;
    MR_FUZZ_CHECK (++*count <= MR_WINDOW_RING);
}

/* What exporters and ingest do with the batch behind the watermark, whatever its word says. */
static void
step (mr_window_t *window, uint64_t seq)
{
    mr_window_word_t word = mr_window_load (window, seq);
    if (mr_window_claim (window, seq, word.generation, SLOT)) {
        MR_FUZZ_CHECK (word.seq == seq && word.state == MR_WINDOW_SENT);
        mr_window_release (window, seq, SLOT);
        MR_FUZZ_CHECK (!mr_window_claim (window, seq, word.generation, SLOT));
        word = mr_window_load (window, seq);
        MR_FUZZ_CHECK (word.state == MR_WINDOW_SENT);
        MR_FUZZ_CHECK (mr_window_claim (window, seq, word.generation, SLOT));
        mr_window_done (window, seq, SLOT);
    }
    if (mr_window_settled (window, seq)) {
        MR_FUZZ_CHECK (!mr_window_claim (window, seq, word.generation, SLOT));
    }
}

static void
look_through (mr_window_t *window, uint8_t slot)
{
    uint64_t base = mr_window_base (window) & MR_WINDOW_MAX_SEQ;
    uint64_t through = mr_window_settled_from (window, base);
    MR_FUZZ_CHECK (through >= base && through - base <= MR_WINDOW_RING);
    unsigned count = 0;
    mr_window_each_claimed (window, slot, count_claimed, &count);
    for (uint64_t seq = through + 1; seq < through + 16 && seq <= MR_WINDOW_MAX_SEQ; seq++) {
        step (window, seq);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    if (bytes < PREFIX + HEAD) {
        return 0;
    }
    fd = fd >= 0 ? fd : memfd_create ("window", MFD_CLOEXEC);
    uint8_t head[HEAD];
    memcpy (head, data + PREFIX, HEAD);
    if ((data[0] & 1) != 0) {
        make_right (head);
    }
    size_t words = (bytes - PREFIX - HEAD) / 8;
    words = words < WORDS_MOST ? words : WORDS_MOST;
    size_t first = (size_t)data[1] * 256 + data[2];
    MR_FUZZ_CHECK (ftruncate (fd, 0) == 0 && ftruncate (fd, file_bytes) == 0);
    MR_FUZZ_CHECK (pwrite (fd, head, HEAD, 0) == HEAD);
    MR_FUZZ_CHECK (pwrite (fd, data + PREFIX + HEAD, words * 8, HEADER_BYTES + (off_t)first * 8) ==
                   (ssize_t)(words * 8));
    if ((data[0] & 2) != 0) {
        MR_FUZZ_CHECK (ftruncate (fd, file_bytes - 8) == 0);
    }
    char path[64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    mr_window_t *window = NULL;
    mr_error_t err;
    mr_status_t status = mr_window_open (path, 0, &window, &err);
    MR_FUZZ_CHECK (status == MR_OK || status == MR_CLOSED || status == MR_INVALID);
    MR_FUZZ_CHECK (status != MR_OK || (data[0] & 2) == 0);
    if (status == MR_OK) {
        look_through (window, data[0] >> 2);
    }
    mr_window_close (&window);
    return 0;
}
