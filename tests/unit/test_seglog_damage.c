/* Torn and damaged segment logs: every truncation, every flipped bit, and what is kept. */
#include "common/base/seglog.h"

#include "common/base/seglog_walk.h"
#include "tests/support/seglog_kit.h"
#include "tests/support/simfs.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 6, BYTES = 61 };

static mr_kit_reading_t reading;
static mr_simfs_t *fs;
static mr_seglog_options_t options;
static const char only_segment[] = "0000000000000000.seg";

/* A log at rest: FRAMES frames in one segment. */
typedef struct {
    char head[MR_SEGLOG_HEAD_BYTES]; /* as published before the last append */
    char segment[MR_SEGLOG_SEGMENT_MIN];
    size_t bytes;                   /* of it that matter */
    uint64_t positions[FRAMES + 1]; /* by number */
} rest_t;

static rest_t
make_rest (void)
{
    rest_t rest;
    memset (&rest, 0, sizeof rest);
    fs = mr_simfs_new (1);
    options = mr_kit_options ("sim", mr_simfs_ops (fs));
    mr_seglog_t *log = mr_kit_open (&options);
    for (uint64_t i = 1; i <= FRAMES; i++) {
        size_t bytes;
        memcpy (rest.head, mr_simfs_file (fs, "head", &bytes), sizeof rest.head);
        rest.positions[i] = mr_kit_append (log, i, BYTES);
    }
    rest.bytes = (size_t)mr_seglog_end (log);
    size_t bytes;
    memcpy (rest.segment, mr_simfs_file (fs, only_segment, &bytes), rest.bytes);
    mr_seglog_close (&log);
    return rest;
}

/* The directory again, with these bytes. head NULL: without one. */
static void
put_rest (const char *segment, size_t bytes, const char *head)
{
    static const char *const suffixes[] = {".seg", ".corrupt", ".free", "head"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        while (mr_simfs_count (fs, suffixes[i]) > 0) {
            mr_simfs_remove (fs, mr_simfs_last (fs, suffixes[i]));
        }
    }
    mr_simfs_put (fs, only_segment, segment, bytes);
    if (head != NULL) {
        mr_simfs_put (fs, "head", head, MR_SEGLOG_HEAD_BYTES);
    }
}

/* Open, append one more, read all: frames 1 .. whole and the new one. */
static void
goes_on (unsigned whole)
{
    mr_seglog_t *log = mr_kit_open (&options);
    mr_kit_append (log, 100, 40);
    mr_seglog_close (&log);
    mr_kit_read_all ("sim", options.ops, 0, &reading);
    ck_assert_uint_eq (reading.count, whole + 1);
    ck_assert_uint_eq (reading.bad, 0);
    for (unsigned i = 0; i < whole; i++) {
        ck_assert_uint_eq (reading.numbers[i], i + 1);
    }
    ck_assert_uint_eq (reading.numbers[whole], 100);
}

START_TEST (test_every_truncation_of_the_last_frame_is_cut_at_the_one_before)
{
    rest_t rest = make_rest ();
    for (int with_head = 0; with_head < 2; with_head++) {
        for (size_t bytes = (size_t)rest.positions[FRAMES]; bytes < rest.bytes; bytes++) {
            put_rest (rest.segment, bytes, with_head != 0 ? rest.head : NULL);
            mr_seglog_t *log = mr_kit_open (&options);
            mr_seglog_stats_t stats;
            mr_seglog_stats (log, &stats);
            ck_assert_uint_eq (stats.end, rest.positions[FRAMES]);
            ck_assert_uint_eq (stats.torn_bytes, bytes - rest.positions[FRAMES]);
            ck_assert_uint_eq (stats.damaged_ranges, 0);
            size_t left = 0;
            ck_assert_ptr_nonnull (mr_simfs_file (fs, only_segment, &left));
            ck_assert_uint_eq (left, rest.positions[FRAMES]);
            mr_seglog_close (&log);
            goes_on (FRAMES - 1);
            ck_assert_uint_eq (reading.damages, 0);
        }
    }
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_every_flipped_bit_in_the_last_frame_tears_it_unless_it_was_published)
{
    rest_t rest = make_rest ();
    static char published[MR_SEGLOG_HEAD_BYTES];
    memcpy (published, rest.head, sizeof published);
    mr_seglog_head_t *head = (mr_seglog_head_t *)(void *)published;
    atomic_store (&head->end, rest.bytes);
    size_t begin = (size_t)rest.positions[FRAMES];
    for (size_t bit = 0; bit < (MR_SEGLOG_FRAME_BYTES + BYTES) * 8; bit++) {
        rest.segment[begin + bit / 8] ^= (char)(1 << (bit % 8));
        put_rest (rest.segment, rest.bytes, rest.head);
        goes_on (FRAMES - 1);
        ck_assert_uint_eq (reading.damages, 0);

        put_rest (rest.segment, rest.bytes, published);
        goes_on (FRAMES - 1);
        ck_assert_uint_eq (reading.damages, 1);
        ck_assert_uint_eq (reading.last.position, begin);
        ck_assert_uint_eq (reading.damaged_bytes, rest.bytes - begin);
        rest.segment[begin + bit / 8] ^= (char)(1 << (bit % 8));
    }
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_every_flipped_bit_in_a_middle_frame_costs_that_frame_alone_and_is_kept_aside)
{
    rest_t rest = make_rest ();
    size_t begin = (size_t)rest.positions[3];
    uint64_t size = rest.positions[4] - rest.positions[3];
    char kept[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (kept, begin, ".corrupt");
    const mr_seglog_reader_options_t reader = {
        .dir = "sim", .buffer_bytes = 700, .keep_damage = true, .ops = options.ops};
    for (size_t bit = 0; bit < (MR_SEGLOG_FRAME_BYTES + BYTES) * 8; bit++) {
        rest.segment[begin + bit / 8] ^= (char)(1 << (bit % 8));
        put_rest (rest.segment, rest.bytes, bit % 2 == 0 ? rest.head : NULL);
        for (int again = 0; again < 2; again++) {
            mr_seglog_t *log = mr_kit_open (&options);
            mr_seglog_close (&log);
            mr_kit_read_with (&reader, &reading);
            ck_assert_uint_eq (reading.count, FRAMES - 1);
            ck_assert_uint_eq (reading.bad, 0);
            ck_assert_uint_eq (reading.damages, 1);
            ck_assert_uint_eq (reading.last.position, begin);
            ck_assert_uint_eq (reading.damaged_bytes, size);
            ck_assert_str_eq (reading.last.kept, again == 0 ? kept : "");
        }
        size_t bytes = 0;
        const char *copy = mr_simfs_file (fs, kept, &bytes);
        ck_assert_ptr_nonnull (copy);
        ck_assert_uint_eq (bytes, size);
        ck_assert_mem_eq (copy, rest.segment + begin, bytes);
        rest.segment[begin + bit / 8] ^= (char)(1 << (bit % 8));
    }
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_every_flipped_bit_in_a_segment_header_costs_no_frame)
{
    rest_t rest = make_rest ();
    size_t header = (size_t)rest.positions[1];
    for (size_t bit = 0; bit < header * 8; bit++) {
        bool matters = bit / 8 < MR_SEGLOG_SEGMENT_BYTES + 7; /* behind it is padding */
        rest.segment[bit / 8] ^= (char)(1 << (bit % 8));
        put_rest (rest.segment, rest.bytes, rest.head);
        goes_on (FRAMES);
        ck_assert_uint_eq (reading.damages, matters ? 1 : 0);
        ck_assert_uint_eq (mr_simfs_count (fs, ".seg"), matters ? 2 : 1);
        mr_seglog_t *log = mr_kit_open (&options);
        mr_seglog_frame_t last[3];
        ck_assert_uint_eq (mr_seglog_last (log, last, 3), 3);
        ck_assert_uint_eq (last[0].words[0], 100);
        ck_assert_uint_eq (last[1].words[0], FRAMES);
        mr_seglog_close (&log);
        rest.segment[bit / 8] ^= (char)(1 << (bit % 8));
    }
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_a_log_whose_id_nobody_knows_any_more_is_set_aside_whole)
{
    rest_t rest = make_rest ();
    rest.segment[20] ^= 1;
    put_rest (rest.segment, rest.bytes, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    ck_assert_uint_eq (mr_simfs_count (fs, ".corrupt"), 1);
    size_t bytes = 0;
    const char *copy = mr_simfs_file (fs, "0000000000000000.corrupt", &bytes);
    ck_assert_ptr_nonnull (copy);
    ck_assert_uint_eq (bytes, rest.bytes);
    ck_assert_mem_eq (copy, rest.segment, bytes);
    mr_seglog_stats_t stats;
    mr_seglog_stats (log, &stats);
    ck_assert_uint_eq (stats.damaged_ranges, 1);
    mr_seglog_close (&log);
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_the_snapshot_of_a_damaged_header_is_taken_from_the_segment_before)
{
    fs = mr_simfs_new (3);
    options = mr_kit_options ("sim", mr_simfs_ops (fs));
    mr_seglog_t *log = mr_kit_open (&options);
    for (uint64_t i = 1; i <= 12; i++) {
        mr_kit_append (log, i, 900);
    }
    mr_seglog_close (&log);
    size_t bytes = 0;
    char *segment = mr_simfs_file (fs, mr_simfs_last (fs, ".seg"), &bytes);
    segment[33] ^= 4;
    log = mr_kit_open (&options);
    mr_buffer_t out;
    mr_buffer_init (&out, MR_SEGLOG_SNAPSHOT_MAX);
    uint64_t from = 0;
    ck_assert_int_eq (mr_seglog_snapshot (log, &out, &from, NULL), MR_OK);
    ck_assert_uint_eq (out.size, 7);
    mr_kit_read_all ("sim", options.ops, from, &reading);
    ck_assert_uint_lt (reading.numbers[0], 9);
    ck_assert_uint_eq (reading.numbers[reading.count - 1], 12);
    mr_buffer_release (&out);
    mr_seglog_close (&log);
    mr_simfs_destroy (&fs);
}
END_TEST

/* A log of twelve frames in three segments or so; returns the second segment's name. */
static const char *
make_three (char *ret_second, uint64_t *ret_start)
{
    fs = mr_simfs_new (4);
    options = mr_kit_options ("sim", mr_simfs_ops (fs));
    mr_seglog_t *log = mr_kit_open (&options);
    for (uint64_t i = 1; i <= 12; i++) {
        mr_kit_append (log, i, 900);
    }
    mr_seglog_close (&log);
    ck_assert_uint_ge (mr_simfs_count (fs, ".seg"), 3);
    for (uint64_t start = 8;; start += 8) {
        size_t bytes;
        mr_seglog_name (ret_second, start, ".seg");
        if (mr_simfs_file (fs, ret_second, &bytes) != NULL) {
            *ret_start = start;
            return ret_second;
        }
    }
}

START_TEST (test_a_missing_segment_is_one_gap_and_the_next_one_is_read)
{
    char second[MR_SEGLOG_NAME_BYTES];
    uint64_t start = 0;
    mr_simfs_remove (fs, make_three (second, &start));
    mr_kit_read_all ("sim", options.ops, 0, &reading);
    ck_assert_uint_eq (reading.damages, 1);
    ck_assert_uint_eq (reading.last.position, start);
    ck_assert_uint_eq (reading.bad, 0);
    ck_assert_uint_eq (reading.numbers[reading.count - 1], 12);
    ck_assert_uint_lt (reading.count, 12);
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_bytes_that_the_disk_refuses_cost_the_frames_around_them_alone)
{
    char second[MR_SEGLOG_NAME_BYTES];
    uint64_t start = 0;
    make_three (second, &start);
    mr_simfs_spoil (fs, second, 0, 1200);
    mr_kit_read_all ("sim", options.ops, 0, &reading);
    ck_assert_uint_eq (reading.damages, 1);
    ck_assert_uint_eq (reading.last.position, start);
    ck_assert_uint_eq (reading.bad, 0);
    ck_assert_uint_ge (reading.count, 8);
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_a_tail_that_cannot_be_read_is_not_cut)
{
    rest_t rest = make_rest ();
    put_rest (rest.segment, rest.bytes, rest.head);
    mr_simfs_spoil (fs, only_segment, rest.positions[FRAMES], rest.bytes);
    mr_seglog_t *log = mr_kit_open (&options);
    mr_kit_append (log, 100, 40);
    mr_seglog_close (&log);
    mr_simfs_spoil (fs, only_segment, 0, 0); /* it was only a loose cable */
    mr_kit_read_all ("sim", options.ops, 0, &reading);
    ck_assert_uint_eq (reading.count, FRAMES + 1);
    ck_assert_uint_eq (reading.damages + reading.bad, 0);
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_frames_inside_a_payload_are_no_frames)
{
    rest_t rest = make_rest ();
    put_rest (rest.segment, rest.bytes, rest.head);
    mr_seglog_t *log = mr_kit_open (&options);
    struct iovec iov = {rest.segment, rest.bytes};
    mr_seglog_entry_t entry = {
        .type = MR_SEGLOG_CONTROL, .words = {101}, .iov = &iov, .iov_count = 1};
    uint64_t position = 0;
    ck_assert_int_eq (mr_seglog_append (log, &entry, &position, NULL), MR_OK);
    mr_kit_append (log, 102, 10);
    mr_seglog_close (&log);
    size_t bytes = 0;
    mr_simfs_file (fs, only_segment, &bytes)[position + 9] ^= 1;
    mr_kit_read_all ("sim", options.ops, position, &reading);
    ck_assert_uint_eq (reading.count, 1);
    ck_assert_uint_eq (reading.numbers[0], 102);
    ck_assert_uint_eq (reading.damages, 1);
    mr_simfs_destroy (&fs);
}
END_TEST

typedef struct seen {
    unsigned segments;
    unsigned frames;
    uint64_t damage;
    uint64_t segment; /* where the damage was */
    unsigned most;    /* frames, then stop */
} seen_t;

static mr_status_t
see_segment (void *arg, const mr_seglog_segment_t *segment)
{
    seen_t *seen = arg;
    seen->segments++;
    ck_assert (segment->sound);
    ck_assert_uint_eq (segment->head.start, segment->start);
    return MR_OK;
}

static mr_status_t
see_frame (void *arg, const mr_seglog_frame_t *frame)
{
    seen_t *seen = arg;
    ck_assert (mr_kit_good (frame));
    return ++seen->frames == seen->most ? MR_CLOSED : MR_OK;
}

static mr_status_t
see_damage (void *arg, const mr_seglog_damage_t *damage, uint64_t segment)
{
    seen_t *seen = arg;
    seen->damage = damage->position;
    seen->segment = segment;
    return MR_OK;
}

START_TEST (test_a_walk_tells_of_segments_frames_and_damage_and_may_be_ended)
{
    char second[MR_SEGLOG_NAME_BYTES];
    uint64_t start = 0;
    make_three (second, &start);
    size_t bytes = 0;
    mr_simfs_file (fs, second, &bytes)[1500] ^= 1;
    seen_t seen = {0};
    mr_seglog_walk_options_t walk = {
        .dir = "sim",
        .ops = options.ops,
        .visitor = {
            .segment = see_segment, .frame = see_frame, .damage = see_damage, .arg = &seen}};
    mr_seglog_walked_t walked;
    ck_assert_int_eq (mr_seglog_walk (&walk, &walked, NULL), MR_OK);
    ck_assert_uint_eq (walked.segments, mr_simfs_count (fs, ".seg"));
    ck_assert_uint_eq (seen.segments, walked.segments);
    ck_assert_uint_eq (walked.frames, 11);
    ck_assert_uint_eq (seen.frames, 11);
    ck_assert_uint_eq (walked.payload_bytes, 11 * 900);
    ck_assert_uint_eq (walked.damaged_ranges, 1);
    ck_assert_uint_eq (walked.damaged_bytes, 1016);
    ck_assert_uint_eq (walked.damaged_headers, 0);
    ck_assert_uint_eq (walked.kind, MR_KIT_KIND);
    ck_assert_uint_eq (seen.segment, start);
    ck_assert (seen.damage > start && seen.damage <= start + 1500);
    walk.until = seen.damage;
    seen = (seen_t){0};
    ck_assert_int_eq (mr_seglog_walk (&walk, &walked, NULL), MR_OK);
    ck_assert_uint_eq (walked.end, walk.until);
    ck_assert_uint_eq (walked.damaged_ranges, 0);
    seen = (seen_t){.most = 3};
    ck_assert_int_eq (mr_seglog_walk (&walk, &walked, NULL), MR_CLOSED);
    ck_assert_uint_eq (seen.frames, 3);
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_cutting_keeps_what_it_takes_and_the_log_goes_on_there)
{
    char second[MR_SEGLOG_NAME_BYTES];
    uint64_t start = 0;
    make_three (second, &start);
    mr_kit_read_all ("sim", options.ops, 0, &reading);
    uint64_t at = reading.positions[6];
    ck_assert_int_eq (mr_seglog_cut ("sim", options.ops, at + 8, NULL), MR_INVALID);
    unsigned segments = mr_simfs_count (fs, ".seg");
    ck_assert_int_eq (mr_seglog_cut ("sim", options.ops, at, NULL), MR_OK);
    ck_assert_uint_lt (mr_simfs_count (fs, ".seg"), segments);
    ck_assert_uint_eq (mr_simfs_count (fs, ".cut"), segments - mr_simfs_count (fs, ".seg") + 1);
    goes_on (6);
    ck_assert_uint_eq (reading.positions[6], at);
    ck_assert_uint_eq (reading.damages, 0);
    mr_simfs_destroy (&fs);
}
END_TEST

START_TEST (test_a_second_cut_at_the_same_place_keeps_what_the_first_one_took)
{
    char second[MR_SEGLOG_NAME_BYTES];
    char first_cut[MR_SEGLOG_NAME_BYTES];
    char next_cut[MR_SEGLOG_NAME_BYTES];
    char was[2048];
    uint64_t start = 0;
    make_three (second, &start);
    mr_kit_read_all ("sim", options.ops, 0, &reading);
    uint64_t at = reading.positions[6];
    mr_seglog_name (first_cut, at, ".cut");
    mr_seglog_name (next_cut, at, ".1.cut");
    ck_assert_int_eq (mr_seglog_cut ("sim", options.ops, at, NULL), MR_OK);
    size_t bytes = 0;
    memcpy (was, mr_simfs_file (fs, first_cut, &bytes), sizeof was);
    ck_assert_uint_ge (bytes, sizeof was);
    ck_assert_int_eq (mr_seglog_cut ("sim", options.ops, at, NULL), MR_OK); /* nothing is left */
    ck_assert_mem_eq (mr_simfs_file (fs, first_cut, &bytes), was, sizeof was);
    goes_on (6);
    unsigned kept = mr_simfs_count (fs, ".cut");
    ck_assert_int_eq (mr_seglog_cut ("sim", options.ops, at, NULL), MR_OK);
    ck_assert_uint_eq (mr_simfs_count (fs, ".cut"), kept + 1);
    ck_assert_mem_eq (mr_simfs_file (fs, first_cut, &bytes), was, sizeof was);
    ck_assert_ptr_nonnull (mr_simfs_file (fs, next_cut, &bytes));
    goes_on (6);
    mr_simfs_destroy (&fs);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_every_truncation_of_the_last_frame_is_cut_at_the_one_before,
        test_every_flipped_bit_in_the_last_frame_tears_it_unless_it_was_published,
        test_every_flipped_bit_in_a_middle_frame_costs_that_frame_alone_and_is_kept_aside,
        test_every_flipped_bit_in_a_segment_header_costs_no_frame,
        test_a_log_whose_id_nobody_knows_any_more_is_set_aside_whole,
        test_the_snapshot_of_a_damaged_header_is_taken_from_the_segment_before,
        test_a_missing_segment_is_one_gap_and_the_next_one_is_read,
        test_bytes_that_the_disk_refuses_cost_the_frames_around_them_alone,
        test_a_tail_that_cannot_be_read_is_not_cut,
        test_frames_inside_a_payload_are_no_frames,
        test_a_walk_tells_of_segments_frames_and_damage_and_may_be_ended,
        test_cutting_keeps_what_it_takes_and_the_log_goes_on_there,
        test_a_second_cut_at_the_same_place_keeps_what_the_first_one_took,
        NULL,
    };
    return mr_suite_run ("seglog_damage", tests);
}
