#include "tests/support/doctor.h"

#include "common/base/seglog_walk.h"
#include "common/delivery/spool.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *data_dir;

void
mr_doctor_data (const char *dir)
{
    data_dir = dir;
}

/* The offset of a data frame with this value in word `word`; 0: it is not in the file. */
static size_t
find_frame (const mr_doctored_t *file, int word, uint64_t value)
{
    size_t at = file->head.header_bytes;
    mr_seglog_frame_head_t frame;
    while (at + sizeof frame <= file->size) {
        memcpy (&frame, file->bytes + at, sizeof frame);
        if (mr_seglog_frame_judge (&frame, file->head.log_id, file->head.start + at) !=
            MR_SEGLOG_WHOLE) {
            return 0;
        }
        if (frame.type == MR_SEGLOG_DATA && frame.words[word] == value) {
            return at;
        }
        at += mr_seglog_frame_size (frame.payload_bytes);
    }
    return 0;
}

static void
load (mr_doctored_t *file, const char *dir, const char *name)
{
    struct stat st;
    snprintf (file->path, sizeof file->path, "%s/%.24s", dir, name);
    ck_assert_int_eq (stat (file->path, &st), 0);
    int fd = open (file->path, O_RDONLY);
    file->size = (size_t)st.st_size;
    file->bytes = malloc (file->size);
    ck_assert_int_eq (read (fd, file->bytes, file->size), (ssize_t)file->size);
    close (fd);
    memcpy (&file->head, file->bytes, sizeof file->head);
}

static void
store (mr_doctored_t *file)
{
    int fd = open (file->path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq (write (fd, file->bytes, file->size), (ssize_t)file->size);
    close (fd);
    free (file->bytes);
}

/* The segment of a log that holds batch `seq`; offset of its frame. */
size_t
mr_doctor_open (mr_doctored_t *file, const char *log, int seq_word, uint64_t seq)
{
    char dir[PATH_MAX];
    snprintf (dir, sizeof dir, "%s/%s", data_dir, log);
    DIR *entries = opendir (dir);
    struct dirent *entry;
    while ((entry = readdir (entries)) != NULL) {
        const char *dot = strrchr (entry->d_name, '.');
        if (dot == NULL || strcmp (dot, ".seg") != 0) {
            continue;
        }
        load (file, dir, entry->d_name);
        size_t at = find_frame (file, seq_word, seq);
        if (at != 0) {
            closedir (entries);
            return at;
        }
        free (file->bytes);
    }
    ck_abort_msg ("%s holds no batch %llu", log, (unsigned long long)seq);
}

/* Change a word of a batch's frame, and seal it again. */
void
mr_doctor_word (const char *log, int seq_word, uint64_t seq, int word, int by)
{
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, log, seq_word, seq);
    mr_seglog_frame_head_t frame;
    memcpy (&frame, file.bytes + at, sizeof frame);
    frame.words[word] += (uint64_t)by;
    mr_seglog_frame_seal (&frame, file.head.log_id);
    memcpy (file.bytes + at, &frame, sizeof frame);
    store (&file);
}

/* Take a frame out and move what follows up, as if it had never been written. */
void
mr_doctor_remove (const char *log, int seq_word, uint64_t seq)
{
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, log, seq_word, seq);
    mr_seglog_frame_head_t frame;
    memcpy (&frame, file.bytes + at, sizeof frame);
    size_t gap = mr_seglog_frame_size (frame.payload_bytes);
    memmove (file.bytes + at, file.bytes + at + gap, file.size - at - gap);
    memset (file.bytes + file.size - gap, 0, gap);
    while (at + sizeof frame <= file.size) {
        memcpy (&frame, file.bytes + at, sizeof frame);
        if (frame.magic != MR_SEGLOG_FRAME_MAGIC) {
            break;
        }
        frame.position -= gap;
        mr_seglog_frame_seal (&frame, file.head.log_id);
        memcpy (file.bytes + at, &frame, sizeof frame);
        at += mr_seglog_frame_size (frame.payload_bytes);
    }
    store (&file);
}

/* The last frame of a spool, with what vouched for it. */
void
mr_doctor_remove_last (int slot, uint64_t seq)
{
    char path[PATH_MAX];
    char log[32];
    snprintf (log, sizeof log, "exporter.%d.spool", slot);
    mr_doctor_remove (log, MR_SPOOL_WORD_SEQ, seq);
    snprintf (path, sizeof path, "%s/%s/head", data_dir, log);
    ck_assert_int_eq (unlink (path), 0);
}

size_t
mr_doctor_flip (const char *log, int seq_word, uint64_t seq, size_t offset)
{
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, log, seq_word, seq);
    file.bytes[at + offset] ^= 1;
    store (&file);
    return at;
}

void
mr_doctor_payload (const char *log, int seq_word, uint64_t seq, size_t offset)
{
    mr_doctored_t file;
    size_t at = mr_doctor_open (&file, log, seq_word, seq);
    mr_seglog_frame_head_t frame;
    memcpy (&frame, file.bytes + at, sizeof frame);
    ck_assert_uint_lt (offset, frame.payload_bytes);
    char *payload = file.bytes + at + sizeof frame;
    payload[offset] ^= 1;
    struct iovec iov = {payload, frame.payload_bytes};
    frame.payload_check = mr_seglog_payload_check (file.head.log_id, &iov, 1, NULL);
    mr_seglog_frame_seal (&frame, file.head.log_id);
    memcpy (file.bytes + at, &frame, sizeof frame);
    store (&file);
}

/* Change a u64 of what the segment of a batch begins with, and seal it again. */
void
mr_doctor_snapshot (const char *log, int seq_word, uint64_t seq, size_t offset)
{
    mr_doctored_t file;
    (void)mr_doctor_open (&file, log, seq_word, seq);
    char *snapshot = file.bytes + MR_SEGLOG_SEGMENT_BYTES;
    uint64_t value;
    ck_assert_uint_le (offset + sizeof value, file.head.snapshot_bytes);
    memcpy (&value, snapshot + offset, sizeof value);
    value++;
    memcpy (snapshot + offset, &value, sizeof value);
    mr_seglog_segment_seal (&file.head, snapshot);
    memcpy (file.bytes, &file.head, sizeof file.head);
    store (&file);
}
