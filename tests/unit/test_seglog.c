/* The segment log on a real file system: what callers build on. */
#include "common/base/seglog.h"

#include "common/base/clock.h"
#include "tests/support/seglog_kit.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mr_kit_reading_t reading;

static unsigned
fill (mr_seglog_t *log, uint64_t from, uint64_t to, size_t bytes)
{
    for (uint64_t i = from; i <= to; i++) {
        mr_kit_append (log, i, bytes);
    }
    mr_seglog_stats_t stats;
    mr_seglog_stats (log, &stats);
    return (unsigned)stats.segments;
}

START_TEST (test_frames_come_back_in_order_over_many_segments)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    uint64_t id = mr_seglog_id (log);
    ck_assert_uint_gt (fill (log, 1, 500, 333), 40);
    mr_kit_append (log, 501, 0);
    mr_kit_append (log, 502, 100000);
    mr_kit_append (log, 503, 1);
    for (int round = 0; round < 2; round++) {
        mr_kit_read_all (dir, NULL, 0, &reading);
        ck_assert_uint_eq (reading.count, 503);
        ck_assert_uint_eq (reading.bad + reading.damages, 0);
        for (unsigned i = 0; i < reading.count; i++) {
            ck_assert_uint_eq (reading.numbers[i], i + 1);
            ck_assert (i == 0 || reading.positions[i] > reading.positions[i - 1]);
        }
        uint64_t end = mr_seglog_end (log);
        mr_seglog_close (&log);
        log = mr_kit_open (&options);
        ck_assert_uint_eq (mr_seglog_end (log), end);
        ck_assert_uint_eq (mr_seglog_id (log), id);
    }
    mr_seglog_close (&log);
    ck_assert_ptr_null (log);
}
END_TEST

START_TEST (test_a_reader_goes_on_where_it_stopped)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 20, 900);
    mr_seglog_reader_t *reader = NULL;
    mr_seglog_reader_options_t reading_options = {.dir = dir, .headers_only = true};
    ck_assert_int_eq (mr_seglog_reader_new (&reading_options, &reader, NULL), MR_OK);
    mr_seglog_frame_t frame;
    unsigned count;
    for (uint64_t i = 1; i <= 40; i++) {
        if (i == 21) {
            ck_assert_int_eq (mr_seglog_reader_next (reader, &frame, 1, &count, NULL), MR_AGAIN);
            fill (log, 21, 40, 900);
        }
        ck_assert_int_eq (mr_seglog_reader_next (reader, &frame, 1, &count, NULL), MR_OK);
        ck_assert_uint_eq (frame.words[0], i);
        char text[900];
        char expected[900];
        ck_assert_int_eq (pread (frame.fd, text, 900, (off_t)frame.file_offset), 900);
        mr_kit_payload (i, expected, 900);
        ck_assert_mem_eq (text, expected, 900);
        ck_assert (!mr_seglog_reader_gone (reader, frame.position));
        if (i % 7 == 0) {
            uint64_t position = mr_seglog_reader_position (reader);
            mr_seglog_reader_destroy (&reader);
            reading_options.position = position;
            ck_assert_int_eq (mr_seglog_reader_new (&reading_options, &reader, NULL), MR_OK);
        }
    }
    mr_seglog_reader_destroy (&reader);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_frames_are_found_by_word_and_position_across_restarts)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    for (int round = 0; round < 3; round++) {
        fill (log, (uint64_t)round * 30 + 1, (uint64_t)round * 30 + 30, 700);
        uint64_t top = (uint64_t)round * 30 + 30;
        for (uint64_t i = top - 15; i <= top; i++) {
            uint64_t position;
            mr_seglog_frame_t frame;
            ck_assert (mr_seglog_find (log, i, &position));
            ck_assert_int_eq (mr_seglog_read (log, position, &frame, NULL), MR_OK);
            ck_assert_uint_eq (frame.words[0], i);
            ck_assert (mr_kit_good (&frame));
            ck_assert_int_eq (mr_seglog_read (log, position + 8, &frame, NULL), MR_INVALID);
        }
        uint64_t position;
        ck_assert (!mr_seglog_find (log, top - 16, &position));
        ck_assert (!mr_seglog_find (log, top + 1, &position));
        mr_seglog_frame_t last[8];
        ck_assert_uint_eq (mr_seglog_last (log, last, 8), 3);
        for (unsigned i = 0; i < 3; i++) {
            ck_assert_uint_eq (last[i].words[0], top - i);
        }
        mr_seglog_close (&log);
        log = mr_kit_open (&options);
    }
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_trimmed_segments_are_recycled_and_old_frames_stay_dead)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    mr_seglog_stats_t stats;
    for (uint64_t i = 1; i <= 300; i++) {
        mr_kit_append (log, i, 333);
        unsigned removed;
        ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), 0, &removed, NULL), MR_OK);
        if (i % 25 == 0) { /* behind the tail of a recycled file stand frames of its former life */
            mr_kit_read_all (dir, NULL, 0, &reading);
            ck_assert_uint_ge (reading.count, 3);
            ck_assert_uint_eq (reading.numbers[reading.count - 1], i);
            ck_assert_uint_eq (reading.bad + reading.damages, 0);
        }
        if (i % 50 == 0) {
            mr_seglog_stats (log, &stats);
            ck_assert_uint_gt (stats.recycled, 0);
            ck_assert_uint_le (stats.segments, 3);
            uint64_t end = mr_seglog_end (log);
            mr_seglog_close (&log);
            log = mr_kit_open (&options);
            ck_assert_uint_eq (mr_seglog_end (log), end);
            mr_seglog_frame_t last[3];
            ck_assert_uint_eq (mr_seglog_last (log, last, 3), 3);
            ck_assert_uint_eq (last[0].words[0], i);
        }
    }
    mr_seglog_close (&log);
}
END_TEST

static int64_t fake_now_ns = INT64_C (1000000000000);

static int64_t
fake_clock (void)
{
    return fake_now_ns;
}

START_TEST (test_retention_keeps_by_bytes_and_by_age)
{
    mr_seglog_options_t options = mr_kit_options (mr_test_dir (), NULL);
    options.wall_ns = fake_clock;
    options.keep_bytes = 20000;
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 100, 900);
    unsigned removed = 1;
    while (removed > 0) {
        ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), fake_now_ns, &removed, NULL),
                          MR_OK);
    }
    uint64_t kept = mr_seglog_end (log) - mr_seglog_first (log);
    ck_assert_uint_le (kept, 20000);
    ck_assert_uint_gt (kept, 20000 - 2 * MR_SEGLOG_SEGMENT_MIN);
    mr_seglog_close (&log);

    options.keep_bytes = 0;
    options.keep_ms = 5000;
    log = mr_kit_open (&options);
    ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), fake_now_ns, &removed, NULL),
                      MR_OK);
    ck_assert_uint_eq (removed, 0);
    fake_now_ns += 5001 * MR_NS_PER_MS;
    ck_assert_int_eq (mr_seglog_roll (log, NULL), MR_OK);
    ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), fake_now_ns, &removed, NULL),
                      MR_OK);
    ck_assert_uint_gt (removed, 0);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_trim_never_takes_the_last_frames_nor_what_is_not_done)
{
    mr_seglog_options_t options = mr_kit_options (mr_test_dir (), NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    uint64_t middle = 0;
    for (uint64_t i = 1; i <= 40; i++) {
        uint64_t position = mr_kit_append (log, i, 3000); /* one frame a segment */
        middle = i == 20 ? position : middle;
    }
    unsigned removed = 1;
    while (removed > 0) {
        ck_assert_int_eq (mr_seglog_trim (log, middle, 0, &removed, NULL), MR_OK);
    }
    mr_seglog_frame_t frame;
    ck_assert_int_eq (mr_seglog_read (log, middle, &frame, NULL), MR_OK);
    ck_assert_uint_eq (frame.words[0], 20);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq (mr_seglog_trim (log, UINT64_MAX, 0, &removed, NULL), MR_OK);
    }
    mr_seglog_frame_t last[3];
    ck_assert_uint_eq (mr_seglog_last (log, last, 3), 3);
    ck_assert_uint_eq (last[2].words[0], 38);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_a_trim_removes_what_was_made_since_the_one_before_and_some_of_a_backlog)
{
    mr_seglog_options_t options = mr_kit_options (mr_test_dir (), NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 300, 3000); /* one frame a segment; the last three frames stay */
    unsigned removed;
    ck_assert_int_eq (mr_seglog_trim (log, UINT64_MAX, 0, &removed, NULL), MR_OK);
    ck_assert_uint_eq (removed, 297);
    fill (log, 301, 600, 3000);
    mr_seglog_close (&log);
    log = mr_kit_open (&options); /* none of these were made in this life */
    ck_assert_int_eq (mr_seglog_trim (log, UINT64_MAX, 0, &removed, NULL), MR_OK);
    ck_assert_uint_eq (removed, 256);
    ck_assert_int_eq (mr_seglog_trim (log, UINT64_MAX, 0, &removed, NULL), MR_OK);
    ck_assert_uint_eq (removed, 300 - 256);
    mr_seglog_close (&log);
}
END_TEST

static mr_status_t
large_snapshot (void *arg, mr_buffer_t *out)
{
    (void)arg;
    static char text[3 * MR_SEGLOG_SEGMENT_MIN];
    return mr_buffer_append (out, text, sizeof text);
}

START_TEST (test_a_snapshot_larger_than_a_segment_is_not_written_for_each_frame)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    options.snapshot = large_snapshot;
    mr_seglog_t *log = mr_kit_open (&options);
    unsigned count = fill (log, 1, 1000, 100);
    uint64_t end = mr_seglog_end (log);
    uint64_t frames = 1000 * mr_seglog_frame_size (100);
    ck_assert_uint_gt (count, 10); /* new ones are begun all the same */
    ck_assert_uint_le (end, 2 * frames + 2 * mr_seglog_header_size (3 * MR_SEGLOG_SEGMENT_MIN));
    for (uint64_t i = 1001; i <= 1500; i++) {
        mr_kit_append (log, i, 100);
        ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_end (log), 0, NULL, NULL), MR_OK);
    }
    mr_seglog_stats_t stats;
    mr_seglog_stats (log, &stats);
    ck_assert_uint_le (stats.segments, 2);
    ck_assert_uint_gt (stats.recycled, 4); /* such files are used again, too */
    mr_kit_read_all (dir, NULL, 0, &reading);
    ck_assert_uint_eq (reading.numbers[reading.count - 1], 1500);
    ck_assert_uint_eq (reading.bad + reading.damages, 0);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_a_snapshot_begins_each_segment_and_leads_on_to_the_frames_behind_it)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 50, 900);
    mr_buffer_t out;
    mr_buffer_init (&out, MR_SEGLOG_SNAPSHOT_MAX);
    uint64_t from = 0;
    ck_assert_int_eq (mr_seglog_snapshot (log, &out, &from, NULL), MR_OK);
    ck_assert_uint_eq (out.size, 7);
    ck_assert_mem_eq (out.data, "totals!", 7);
    mr_kit_read_all (dir, NULL, from, &reading);
    ck_assert_uint_gt (reading.count, 0);
    ck_assert_uint_eq (reading.numbers[reading.count - 1], 50);
    ck_assert_uint_eq (reading.positions[0], from);
    mr_buffer_release (&out);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_another_kind_id_or_a_newer_version_is_refused_clearly)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    mr_kit_append (log, 1, 10);
    mr_seglog_close (&log);
    mr_error_t err;
    options.kind = 8;
    ck_assert_int_eq (mr_seglog_open (&options, &log, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "kind 7, expected kind 8"));
    options.kind = MR_KIT_KIND;
    options.id = 1;
    ck_assert_int_eq (mr_seglog_open (&options, &log, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "expected 0000000000000001"));
    options.id = 0;

    char path[256];
    snprintf (path, sizeof path, "%s/0000000000000000.seg", dir);
    FILE *file = fopen (path, "r+b");
    mr_seglog_segment_head_t head;
    char snapshot[8];
    ck_assert_uint_eq (fread (&head, sizeof head, 1, file), 1);
    ck_assert_uint_eq (fread (snapshot, 7, 1, file), 1);
    head.version = 2;
    mr_seglog_segment_seal (&head, snapshot);
    rewind (file);
    ck_assert_uint_eq (fwrite (&head, sizeof head, 1, file), 1);
    fclose (file);
    ck_assert_int_eq (mr_seglog_open (&options, &log, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "newer Millrace (log format 2"));
    mr_kit_read_all (dir, NULL, 0, &reading);
    ck_assert_uint_eq (reading.count, 0);
}
END_TEST

START_TEST (test_an_empty_directory_is_no_log_for_those_who_only_read)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    options.read_only = true;
    mr_seglog_t *log = NULL;
    ck_assert_int_eq (mr_seglog_open (&options, &log, NULL), MR_CLOSED);
    mr_kit_read_all (dir, NULL, 0, &reading);
    ck_assert_int_eq (reading.status, MR_AGAIN);
    options.dir = "/nowhere/at/all";
    ck_assert_int_eq (mr_seglog_open (&options, &log, NULL), MR_CLOSED);
    options.read_only = false;
    ck_assert_int_eq (mr_seglog_open (&options, &log, NULL), MR_SYSTEM);
}
END_TEST

START_TEST (test_sync_moves_the_durable_end_and_some_readers_wait_for_it)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 30, 900);
    ck_assert_int_eq (mr_seglog_sync (log, NULL), MR_OK);
    ck_assert_uint_eq (mr_seglog_synced (log), mr_seglog_end (log));
    fill (log, 31, 50, 900);
    mr_seglog_reader_options_t reader = {.dir = dir, .synced_only = true};
    mr_kit_read_with (&reader, &reading);
    ck_assert_uint_eq (reading.count, 30);
    ck_assert_int_eq (mr_seglog_sync (log, NULL), MR_OK);
    mr_kit_read_with (&reader, &reading);
    ck_assert_uint_eq (reading.count, 50);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_a_reader_of_synced_frames_waits_where_it_was_though_that_is_not_synced)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 30, 900);
    mr_kit_read_all (dir, NULL, 0, &reading);
    mr_seglog_reader_options_t again = {
        .dir = dir, .position = reading.positions[20], .synced_only = true};
    mr_kit_read_with (&again, &reading);
    ck_assert_uint_eq (reading.count, 0);
    mr_seglog_reader_t *reader = NULL;
    ck_assert_int_eq (mr_seglog_reader_new (&again, &reader, NULL), MR_OK);
    ck_assert_uint_eq (mr_seglog_reader_position (reader), again.position);
    ck_assert_int_eq (mr_seglog_sync (log, NULL), MR_OK);
    mr_seglog_frame_t frame;
    unsigned count = 0;
    ck_assert_int_eq (mr_seglog_reader_next (reader, &frame, 1, &count, NULL), MR_OK);
    ck_assert_uint_eq (frame.words[0], 21);
    mr_seglog_reader_destroy (&reader);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_too_large_a_frame_is_refused_and_reserving_makes_room)
{
    mr_seglog_options_t options = mr_kit_options (mr_test_dir (), NULL);
    options.max_payload_bytes = 1000;
    mr_seglog_t *log = mr_kit_open (&options);
    uint64_t position = 0;
    ck_assert_int_eq (mr_kit_try (log, 1, 1001, &position), MR_INVALID);
    ck_assert_int_eq (mr_kit_try (log, 1, 1000, &position), MR_OK);
    for (uint64_t i = 2; i < 20; i++) {
        ck_assert_int_eq (mr_seglog_reserve (log, 1000, NULL), MR_OK);
        mr_kit_append (log, i, 900);
    }
    mr_seglog_close (&log);
}
END_TEST

static void
copy_file (const char *from, const char *to)
{
    static char bytes[65536];
    FILE *in = fopen (from, "rb");
    FILE *out = fopen (to, "wb");
    ck_assert_msg (in != NULL && out != NULL, "cannot copy %s", from);
    size_t got = fread (bytes, 1, sizeof bytes, in);
    ck_assert_uint_eq (fwrite (bytes, 1, got, out), got);
    fclose (in);
    fclose (out);
}

START_TEST (test_a_frame_larger_than_a_segment_has_one_of_its_own)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    size_t large = (size_t)options.segment_bytes + 1000;
    ck_assert_uint_eq (fill (log, 1, 1, large), 1);
    ck_assert_uint_eq (fill (log, 2, 2, 10), 2);
    ck_assert_uint_eq (fill (log, 3, 3, large), 3);
    ck_assert_uint_eq (fill (log, 4, 5, 10), 4);
    mr_kit_read_all (dir, NULL, 0, &reading);
    ck_assert_uint_eq (reading.count, 5);
    mr_seglog_close (&log);
}
END_TEST

START_TEST (test_a_log_of_format_1_is_read_as_it_was_written)
{
    static const char *const names[] = {"0000000000000000.seg", "0000000000000f50.seg"};
    const char *dir = mr_test_dir ();
    for (size_t i = 0; i < 2; i++) {
        char from[512];
        char to[512];
        snprintf (from, sizeof from, "%s/tests/data/seglog-v1/%s", MR_SOURCE_DIR, names[i]);
        snprintf (to, sizeof to, "%s/%s", dir, names[i]);
        copy_file (from, to);
    }
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    options.id = UINT64_C (0x1122334455667788);
    mr_seglog_t *log = mr_kit_open (&options);
    mr_seglog_stats_t stats;
    mr_seglog_stats (log, &stats);
    ck_assert_uint_eq (stats.next_ordinal, 7);
    ck_assert_uint_eq (stats.end, 5168);
    mr_kit_append (log, 8, 10);
    mr_kit_read_all (dir, NULL, 0, &reading);
    ck_assert_uint_eq (reading.count, 8);
    ck_assert_uint_eq (reading.bad + reading.damages, 0);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq (reading.numbers[i], i + 1);
    }
    mr_seglog_close (&log);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_frames_come_back_in_order_over_many_segments,
        test_a_reader_goes_on_where_it_stopped,
        test_frames_are_found_by_word_and_position_across_restarts,
        test_trimmed_segments_are_recycled_and_old_frames_stay_dead,
        test_retention_keeps_by_bytes_and_by_age,
        test_trim_never_takes_the_last_frames_nor_what_is_not_done,
        test_a_trim_removes_what_was_made_since_the_one_before_and_some_of_a_backlog,
        test_a_snapshot_larger_than_a_segment_is_not_written_for_each_frame,
        test_a_snapshot_begins_each_segment_and_leads_on_to_the_frames_behind_it,
        test_another_kind_id_or_a_newer_version_is_refused_clearly,
        test_an_empty_directory_is_no_log_for_those_who_only_read,
        test_sync_moves_the_durable_end_and_some_readers_wait_for_it,
        test_a_reader_of_synced_frames_waits_where_it_was_though_that_is_not_synced,
        test_too_large_a_frame_is_refused_and_reserving_makes_room,
        test_a_frame_larger_than_a_segment_has_one_of_its_own,
        test_a_log_of_format_1_is_read_as_it_was_written,
        NULL,
    };
    return mr_suite_run ("seglog", tests);
}
