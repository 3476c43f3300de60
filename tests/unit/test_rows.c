#include "common/base/clock.h"
#include "common/record/rows.h"
#include "common/wire/dead.h"
#include "tests/support/suite.h"

#include <string.h>

enum { MAX_RECORDS = 8 };

/* A batch of lines, in which the records of `index` are left of more that came in. */
typedef struct sample {
    mr_batch_t batch;
    char text[1024];
    uint32_t offsets[MAX_RECORDS + 1];
    uint32_t index[MAX_RECORDS];
    mr_buffer_t dead;
} sample_t;

static void
add_record (sample_t *self, const char *record, uint32_t index)
{
    mr_batch_t *batch = &self->batch;
    size_t bytes = strlen (record);
    memcpy (self->text + batch->records_bytes, record, bytes);
    self->text[batch->records_bytes + bytes] = '\n';
    batch->records_bytes += (uint32_t)bytes + 1;
    self->index[batch->count++] = index;
    self->offsets[batch->count] = batch->records_bytes;
    batch->records = self->text;
    batch->offsets = self->offsets;
    ck_assert_int_eq (mr_batch_set_section (batch, MR_SECTION_INDEX, self->index, 4 * batch->count),
                      MR_OK);
}

static void
add_dead (sample_t *self, const char *error_type, const char *record)
{
    mr_dead_t dead = {
        .index = 7,
        .attempts = 1,
        .stage = mr_dead_text ("processor"),
        .error_type = mr_dead_text (error_type),
        .record = record,
        .record_bytes = (uint32_t)strlen (record),
        .original_bytes = (uint32_t)strlen (record),
    };
    ck_assert_int_eq (mr_dead_append (&self->dead, &dead), MR_OK);
    ck_assert_int_eq (mr_batch_set_section (&self->batch, MR_SECTION_DEAD, self->dead.data,
                                            (uint32_t)self->dead.size),
                      MR_OK);
    self->batch.dead++;
}

static void
make_sample (sample_t *self)
{
    memset (self, 0, sizeof *self);
    self->batch.journal = 0xab;
    self->batch.seq = 17;
    self->batch.created_ns = 1500 * MR_NS_PER_S + 123456000;
    mr_buffer_init (&self->dead, 4096);
    add_record (self, "{\"level\":\"info\",\"n\":1}", 0);
    add_record (self, "{\"level\":\"error\",\"n\":2}", 2);
    add_record (self, "{}", 3);
    add_record (self, " {\"level\":\"error\"} ", 5);
    add_dead (self, "json_syntax", "oops");
    add_dead (self, "json_utf8", "\xff");
}

/* The lines of one sink. */
static void
assert_rows (mr_rows_input_t input, const char *match, bool envelope, const char *lines)
{
    static sample_t sample;
    make_sample (&sample);
    mr_rows_t rows;
    mr_error_t err;
    ck_assert_int_eq (mr_rows_init (&rows, input, match, envelope, &err), MR_OK);
    for (int again = 0; again < 2; again++) {
        const char *got;
        size_t bytes;
        uint32_t count;
        ck_assert_int_eq (mr_rows_make (&rows, &sample.batch, &got, &bytes, &count), MR_OK);
        ck_assert_uint_eq (bytes, strlen (lines));
        ck_assert_msg (bytes == 0 || memcmp (got, lines, bytes) == 0, "%.*s", (int)bytes, got);
        uint32_t newlines = 0;
        for (size_t i = 0; i < bytes; i++) {
            newlines += got[i] == '\n';
        }
        ck_assert_uint_eq (count, newlines);
    }
    mr_rows_release (&rows);
    mr_buffer_release (&sample.dead);
}

START_TEST (test_without_conditions_the_records_go_as_they_are)
{
    assert_rows (MR_ROWS_RECORDS, NULL, false,
                 "{\"level\":\"info\",\"n\":1}\n{\"level\":\"error\",\"n\":2}\n{}\n"
                 " {\"level\":\"error\"} \n");
}
END_TEST

START_TEST (test_only_records_that_match_go)
{
    assert_rows (MR_ROWS_RECORDS, "level == \"error\"", false,
                 "{\"level\":\"error\",\"n\":2}\n {\"level\":\"error\"} \n");
    assert_rows (MR_ROWS_RECORDS, "n > 100", false, "");
    assert_rows (MR_ROWS_RECORDS, "not exists(level)", false, "{}\n");
}
END_TEST

START_TEST (test_the_envelope_names_journal_seq_and_original_index)
{
    assert_rows (MR_ROWS_RECORDS, "n >= 2 or not exists(level)", true,
                 "{\"level\":\"error\",\"n\":2,\"_id\":\"00000000000000ab-17-2\","
                 "\"_ingested\":\"1970-01-01T00:25:00.123456Z\"}\n"
                 "{\"_id\":\"00000000000000ab-17-3\","
                 "\"_ingested\":\"1970-01-01T00:25:00.123456Z\"}\n");
    assert_rows (MR_ROWS_RECORDS, "level == \"error\" and not exists(n)", true,
                 " {\"level\":\"error\",\"_id\":\"00000000000000ab-17-5\","
                 "\"_ingested\":\"1970-01-01T00:25:00.123456Z\"}\n");
}
END_TEST

#define DEAD_HEAD "{\"id\":\"00000000000000ab-17-7\",\"stage\":\"processor\",\"worker\":\"\","
#define DEAD_TAIL \
    "\"message\":\"\",\"rule\":\"\",\"attempts\":1,\"ts\":\"1970-01-01T00:00:00.000000Z\","
#define DEAD_ONE DEAD_HEAD "\"error_type\":\"json_syntax\"," DEAD_TAIL "\"record\":\"oops\"}\n"
#define DEAD_TWO DEAD_HEAD "\"error_type\":\"json_utf8\"," DEAD_TAIL "\"record_base64\":\"/w==\"}\n"

START_TEST (test_dead_letters_go_to_who_asked_for_them_and_matches)
{
    assert_rows (MR_ROWS_DEAD, NULL, false, DEAD_ONE DEAD_TWO);
    assert_rows (MR_ROWS_DEAD, "error_type == \"json_utf8\"", false, DEAD_TWO);
    assert_rows (MR_ROWS_DEAD, "attempts > 1", false, "");
}
END_TEST

START_TEST (test_metric_rows_are_not_made_from_single_batches)
{
    assert_rows (MR_ROWS_METRICS, NULL, false, "");
}
END_TEST

START_TEST (test_a_broken_section_is_found)
{
    static sample_t sample;
    make_sample (&sample);
    ck_assert_int_eq (mr_batch_set_section (&sample.batch, MR_SECTION_DEAD, "12345678", 8), MR_OK);
    mr_rows_t rows;
    mr_error_t err;
    ck_assert_int_eq (mr_rows_init (&rows, MR_ROWS_DEAD, NULL, false, &err), MR_OK);
    const char *lines;
    size_t bytes;
    uint32_t count;
    ck_assert_int_eq (mr_rows_make (&rows, &sample.batch, &lines, &bytes, &count), MR_INVALID);
    mr_rows_release (&rows);
    mr_buffer_release (&sample.dead);
}
END_TEST

START_TEST (test_what_one_of_the_others_takes_is_left_out)
{
    static sample_t sample;
    make_sample (&sample);
    mr_rows_t rows;
    mr_error_t err;
    const char *got;
    size_t bytes;
    uint32_t count;
    ck_assert_int_eq (mr_rows_init (&rows, MR_ROWS_RECORDS, NULL, false, &err), MR_OK);
    ck_assert_int_eq (mr_rows_except (&rows, "n == 2", &err), MR_OK);
    ck_assert_int_eq (mr_rows_except (&rows, "level == \"info\"", &err), MR_OK);
    ck_assert_int_eq (mr_rows_make (&rows, &sample.batch, &got, &bytes, &count), MR_OK);
    ck_assert_uint_eq (count, 2);
    ck_assert_int_eq (memcmp (got, "{}\n {\"level\":\"error\"} \n", bytes), 0);
    ck_assert_int_eq (mr_rows_except (&rows, "n ==", &err), MR_CONFIG);
    mr_rows_release (&rows);
    mr_buffer_release (&sample.dead);
}
END_TEST

START_TEST (test_a_condition_that_cannot_be_compiled_is_refused)
{
    mr_rows_t rows;
    mr_error_t err;
    ck_assert_int_eq (mr_rows_init (&rows, MR_ROWS_RECORDS, "level ==", true, &err), MR_CONFIG);
    ck_assert_uint_gt (strlen (err.text), 0);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_without_conditions_the_records_go_as_they_are,
        test_only_records_that_match_go,
        test_the_envelope_names_journal_seq_and_original_index,
        test_dead_letters_go_to_who_asked_for_them_and_matches,
        test_metric_rows_are_not_made_from_single_batches,
        test_a_broken_section_is_found,
        test_what_one_of_the_others_takes_is_left_out,
        test_a_condition_that_cannot_be_compiled_is_refused,
        NULL,
    };
    return mr_suite_run ("rows", tests);
}
