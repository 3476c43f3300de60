#include "tests/support/delivery_kit.h"

#include "common/base/seglog_reader.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mr_kit_frame_t
mr_kit_frame_new (uint64_t seq, uint8_t generation, uint32_t records)
{
    char text[1 << 14];
    uint32_t offsets[257] = {0};
    ck_assert_uint_lt (records, 257);
    uint32_t used = 0;
    for (uint32_t i = 0; i < records; i++) {
        used +=
            (uint32_t)sprintf (text + used, "{\"s\":%llu,\"i\":%u}\n", (unsigned long long)seq, i);
        offsets[i + 1] = used;
    }
    mr_batch_t batch = {
        .journal = MR_KIT_JOURNAL,
        .seq = seq,
        .attempt = 1,
        .generation = generation,
        .received = records,
        .count = records,
        .created_ns = 1,
        .records = text,
        .records_bytes = used,
        .offsets = offsets,
    };
    mr_kit_frame_t self = {.bytes = mr_batch_encoded_bytes (&batch)};
    self.data = aligned_alloc (64, (self.bytes + 63) / 64 * 64);
    ck_assert_ptr_nonnull (self.data);
    mr_batch_encode (&batch, self.data);
    mr_error_t err;
    ck_assert_int_eq (mr_batch_decode (self.data, self.bytes, &self.batch, &err), MR_OK);
    return self;
}

void
mr_kit_frame_release (mr_kit_frame_t *self)
{
    free (self->data);
}

/* ---- a journal without a state ---- */

static mr_status_t
save_nothing (void *arg, mr_buffer_t *out)
{
    (void)arg;
    (void)out;
    return MR_OK;
}

static mr_status_t
take_nothing (void *arg, const void *data, size_t bytes)
{
    (void)arg;
    (void)data;
    (void)bytes;
    return MR_OK;
}

static mr_status_t
note_nothing (void *arg, const uint64_t *words)
{
    (void)arg;
    (void)words;
    return MR_OK;
}

const mr_journal_state_t mr_kit_no_state = {
    .save = save_nothing, .load = take_nothing, .apply = take_nothing, .note = note_nothing};

mr_window_t *
mr_kit_window (const char *data_dir)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/ingest.0.window", data_dir);
    mr_window_t *window = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_window_open (path, MR_KIT_JOURNAL, &window, &err);
    if (status == MR_CLOSED) {
        status = mr_window_prepare (path, MR_KIT_JOURNAL, 0, &window, &err);
        status = status == MR_OK ? mr_window_install (window, &err) : status;
    }
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return window;
}

mr_spool_t *
mr_kit_spool (const char *data_dir, bool fsync, const mr_file_ops_t *ops)
{
    mr_spool_options_t options = {
        .data_dir = data_dir, .segment_bytes = 64 << 10, .fsync = fsync, .ops = ops};
    mr_spool_t *spool = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_spool_open (&options, &spool, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return spool;
}

mr_status_t
mr_kit_offer (mr_spool_t *spool, mr_window_t *window, uint64_t seq, bool *ret_released,
              mr_error_t *err)
{
    mr_kit_frame_t frame = mr_kit_frame_new (seq, mr_window_load (window, seq).generation, 3);
    mr_spool_offer_t offer = {
        .window = window, .frame = frame.data, .bytes = frame.bytes, .batch = &frame.batch};
    mr_status_t status = mr_spool_accept (spool, &offer, ret_released, err);
    mr_kit_frame_release (&frame);
    return status;
}

unsigned
mr_kit_spooled (const char *data_dir, unsigned *ret_counts, unsigned limit)
{
    char dir[PATH_MAX];
    mr_spool_path (data_dir, 0, dir);
    mr_seglog_reader_options_t options = {.dir = dir};
    mr_seglog_reader_t *reader = NULL;
    mr_error_t err = {.text = ""};
    memset (ret_counts, 0, limit * sizeof *ret_counts);
    mr_status_t status = mr_seglog_reader_new (&options, &reader, &err);
    unsigned frames = 0;
    while (status == MR_OK) {
        mr_seglog_frame_t frame;
        unsigned count;
        status = mr_seglog_reader_next (reader, &frame, 1, &count, &err);
        if (status == MR_OK && frame.type == MR_SEGLOG_DATA) {
            uint64_t seq = frame.words[MR_SPOOL_WORD_SEQ];
            ck_assert_uint_lt (seq, limit);
            ret_counts[seq]++;
            frames++;
        }
    }
    ck_assert_int_eq (status, MR_AGAIN);
    mr_seglog_reader_stats_t stats = {0};
    if (reader != NULL) {
        mr_seglog_reader_stats (reader, &stats);
    }
    ck_assert_uint_eq (stats.damaged_ranges, 0);
    mr_seglog_reader_destroy (&reader);
    return frames;
}

/* ---- a file system that refuses ---- */

static mr_kit_faults_t *faults_now;

static ssize_t
write_or_fail (void *context, int fd, const struct iovec *iov, int count, uint64_t offset)
{
    if (faults_now->write) {
        errno = EIO;
        return -1;
    }
    return mr_file_ops_system ()->write (context, fd, iov, count, offset);
}

static int
truncate_or_fail (void *context, int fd, uint64_t bytes)
{
    if (faults_now->truncate) {
        errno = EIO;
        return -1;
    }
    return mr_file_ops_system ()->truncate (context, fd, bytes);
}

static int
sync_or_fail (void *context, int fd)
{
    if (faults_now->sync) {
        errno = EIO;
        return -1;
    }
    return mr_file_ops_system ()->sync_data (context, fd);
}

const mr_file_ops_t *
mr_kit_failing_ops (mr_kit_faults_t *faults)
{
    static mr_file_ops_t ops;
    faults_now = faults;
    ops = *mr_file_ops_system ();
    ops.write = write_or_fail;
    ops.truncate = truncate_or_fail;
    ops.sync_data = sync_or_fail;
    return &ops;
}
