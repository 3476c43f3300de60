/* Recovery and reading of arbitrary segment files, on a file system in memory.
 *
 * Input: byte 0: bit 0 repair checksums first, so that the fuzzer gets past them; bit 1 a head file
 * of this start of the machine with an end taken from bytes 2 and 3; bit 2 keep damage aside.
 * Byte 1: where the second segment starts, in 64ths of the rest. Then both segments' bytes, the
 * first standing at position 0. */
#include "common/base/seglog.h"
#include "common/base/seglog_reader.h"
#include "tests/fuzz/harness.h"
#include "tests/support/simfs.h"

#include <stdlib.h>
#include <string.h>

enum { KIND = 7, PREFIX = 4, INPUT_MAX = 64 << 10 };

static const uint64_t log_id = UINT64_C (0x1122334455667788);

/* Make the header and every frame that chains on from it sound, wherever sizes allow it. */
static void
repair (char *data, size_t bytes, uint64_t start)
{
    mr_seglog_segment_head_t head;
    if (bytes < sizeof head) {
        return;
    }
    memcpy (&head, data, sizeof head);
    head.magic = MR_SEGLOG_SEGMENT_MAGIC;
    head.version = head.version % 3;
    head.kind = KIND;
    head.log_id = log_id;
    head.start = start;
    head.snapshot_bytes %= 32;
    head.header_bytes = (uint32_t)mr_seglog_header_size (head.snapshot_bytes);
    if (head.header_bytes > bytes) {
        return;
    }
    mr_seglog_segment_seal (&head, data + sizeof head);
    memcpy (data, &head, sizeof head);
    size_t offset = head.header_bytes;
    mr_seglog_frame_head_t frame;
    while (bytes - offset >= sizeof frame) {
        memcpy (&frame, data + offset, sizeof frame);
        frame.magic = MR_SEGLOG_FRAME_MAGIC;
        frame.position = start + offset;
        frame.payload_bytes %= 512;
        uint64_t size = mr_seglog_frame_size (frame.payload_bytes);
        if (size <= bytes - offset) {
            struct iovec iov = {data + offset + sizeof frame, frame.payload_bytes};
            frame.payload_check = mr_seglog_payload_check (log_id, &iov, 1, NULL);
        }
        mr_seglog_frame_seal (&frame, log_id);
        if ((frame.flags & 7) != 7) { /* the fuzzer says which frames stay as they are */
            memcpy (data + offset, &frame, sizeof frame);
        }
        if (size > bytes - offset) {
            break;
        }
        offset += size;
    }
}

static void
put_head (mr_simfs_t *fs, const uint8_t *data)
{
    static char bytes[MR_SEGLOG_HEAD_BYTES];
    mr_seglog_head_t *head = (mr_seglog_head_t *)(void *)bytes;
    uint64_t boot[2] = {0, 0};
    const mr_file_ops_t *ops = mr_simfs_ops (fs);
    MR_FUZZ_CHECK (ops->boot_id (ops->context, boot) == 0);
    *head = (mr_seglog_head_t){
        .magic = MR_SEGLOG_HEAD_MAGIC,
        .version = MR_SEGLOG_VERSION,
        .kind = KIND,
        .log_id = log_id,
        .boot = {boot[0], boot[1]},
    };
    atomic_store (&head->ready, 1);
    atomic_store (&head->end, (uint64_t)data[2] * 256 + data[3]);
    mr_simfs_put (fs, "head", bytes, sizeof bytes);
}

/* Positions rise. Returns the last. */
static uint64_t
check_frames (const mr_seglog_frame_t *frames, unsigned count, uint64_t last)
{
    for (unsigned i = 0; i < count; i++) {
        MR_FUZZ_CHECK (frames[i].position > last && frames[i].next > frames[i].position);
        last = frames[i].position;
    }
    return last;
}

/* Read to the end: positions rise, and it ends. Returns how many frames; -1: a segment of a newer
 * version stands in the way. */
static int
read_all (const mr_file_ops_t *ops, bool keep_damage)
{
    const mr_seglog_reader_options_t options = {
        .dir = "sim", .buffer_bytes = 512, .keep_damage = keep_damage, .ops = ops};
    mr_seglog_reader_t *reader = NULL;
    int total = 0;
    uint64_t last = 0;
    if (mr_seglog_reader_new (&options, &reader, NULL) != MR_OK) {
        return 0;
    }
    mr_seglog_frame_t frames[3];
    unsigned count = 0;
    mr_status_t status = MR_OK;
    for (;;) {
        status = mr_seglog_reader_next (reader, frames, 3, &count, NULL);
        if (status != MR_OK) {
            break;
        }
        last = check_frames (frames, count, last);
        total += (int)count;
        MR_FUZZ_CHECK (total <= INPUT_MAX);
    }
    MR_FUZZ_CHECK (status == MR_AGAIN || status == MR_CONFIG);
    mr_seglog_reader_destroy (&reader);
    return status == MR_AGAIN ? total : -1;
}

static void
open_and_append (const mr_file_ops_t *ops, bool keep_damage)
{
    const mr_seglog_options_t options = {
        .dir = "sim",
        .kind = KIND,
        .segment_bytes = 8192,
        .max_payload_bytes = 1024,
        .keep_frames = 4,
        .index_frames = 8,
        .ops = ops,
    };
    mr_seglog_t *log = NULL;
    mr_status_t status = mr_seglog_open (&options, &log, NULL);
    MR_FUZZ_CHECK (status == MR_OK || status == MR_CONFIG);
    if (status != MR_OK) {
        return;
    }
    int before = read_all (ops, keep_damage);
    char payload[] = "payload";
    struct iovec iov = {payload, 7};
    const mr_seglog_entry_t entry = {.type = MR_SEGLOG_DATA, .iov = &iov, .iov_count = 1};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t position = 0;
        mr_seglog_frame_t frame;
        MR_FUZZ_CHECK (mr_seglog_append (log, &entry, &position, NULL) == MR_OK);
        MR_FUZZ_CHECK (mr_seglog_read (log, position, &frame, NULL) == MR_OK);
        MR_FUZZ_CHECK (mr_seglog_last (log, &frame, 1) == 1 && frame.position == position);
    }
    mr_seglog_close (&log);
    MR_FUZZ_CHECK (mr_seglog_open (&options, &log, NULL) == MR_OK);
    MR_FUZZ_CHECK (read_all (ops, keep_damage) == (before < 0 ? -1 : before + 2));
    mr_seglog_close (&log);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    if (bytes < PREFIX || bytes > INPUT_MAX) {
        return 0;
    }
    size_t size = bytes - PREFIX;
    size_t first = size * (data[1] % 65) / 64 / 8 * 8;
    char *copy = malloc (size + 1);
    MR_FUZZ_CHECK (copy != NULL);
    memcpy (copy, data + PREFIX, size);
    if ((data[0] & 1) != 0) {
        repair (copy, first, 0);
        repair (copy + first, size - first, first);
    }
    mr_simfs_t *fs = mr_simfs_new (1);
    char name[MR_SEGLOG_NAME_BYTES];
    if (first > 0) {
        mr_simfs_put (fs, "0000000000000000.seg", copy, first);
    }
    mr_seglog_name (name, first, ".seg");
    mr_simfs_put (fs, name, copy + first, size - first);
    if ((data[0] & 2) != 0) {
        put_head (fs, data);
    }
    bool keep_damage = (data[0] & 4) != 0;
    (void)read_all (mr_simfs_ops (fs), keep_damage);
    open_and_append (mr_simfs_ops (fs), keep_damage);
    mr_simfs_destroy (&fs);
    free (copy);
    return 0;
}
