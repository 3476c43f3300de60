#include "common/runtime/metric_rules.h"
#include "stages/exporter/metric_checkpoint.h"
#include "stages/exporter/metric_rows.h"
#include "stages/exporter/metric_totals.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char two[] = "[metric n]\ntype = counter\nhelp = How \"many\"\nby = a, b\n"
                          "max_series = 3\n"
                          "[metric t]\ntype = histogram\nfield = ms\nbuckets = 0.5, 10\n";

/* "type: message (count)" each. */
static void
note (void *arg, mr_errortype_id_t error_type, const char *message, uint64_t count)
{
    mr_heard (arg, "%s: %s (%llu)\n", mr_errortype_name (error_type), message,
              (unsigned long long)count);
}

static mr_metric_totals_t *
make_totals (const char *text)
{
    mr_error_t err = {.text = ""};
    mr_config_t *config;
    mr_metric_rules_t *rules;
    mr_metric_totals_t *totals;
    ck_assert_msg (mr_config_load_text (text, strlen (text), "/tmp/test.ini", &config, &err) ==
                       MR_OK,
                   "%s", err.text);
    ck_assert_int_eq (mr_metric_rules_new (config, &rules, &err), MR_OK);
    ck_assert_int_eq (mr_metric_totals_new (rules, &totals), MR_OK);
    mr_metric_rules_destroy (&rules);
    mr_config_destroy (&config);
    return totals;
}

/* One series of this metric, with as many of the values as it has labels: `count` times 5 in all.
 */
static void
add_section (mr_buffer_t *section, const mr_partial_metric_t *metric, const char *const *values,
             uint64_t count)
{
    mr_buffer_t key;
    mr_buffer_init (&key, 4096);
    for (uint32_t i = 0; i < metric->label_count; i++) {
        ck_assert_int_eq (mr_partial_key_add (&key, values[i], (uint32_t)strlen (values[i])),
                          MR_OK);
    }
    mr_partial_series_t series = {.key = key.data,
                                  .key_bytes = (uint32_t)key.size,
                                  .count = count,
                                  .sum = 5 * (double)count,
                                  .min = 5,
                                  .max = 5,
                                  .buckets = {0, count, 0}};
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, section, metric);
    mr_partial_add (&writer, &series);
    ck_assert_int_eq (mr_partial_end (&writer), MR_OK);
    mr_buffer_release (&key);
}

static void
fold (mr_metric_totals_t *totals, const mr_partial_metric_t *metric, const char *a, uint64_t count,
      mr_heard_t *told)
{
    const char *const values[] = {a, "x", a, a};
    mr_buffer_t section;
    mr_buffer_init (&section, 1 << 16);
    add_section (&section, metric, values, count);
    mr_totals_faults_t faults = {note, told};
    mr_error_t err;
    ck_assert_int_eq (mr_metric_totals_fold (totals, section.data, section.size, &faults, &err),
                      MR_OK);
    mr_buffer_release (&section);
}

/* The rows without worker and time. */
static void
assert_rows (const mr_metric_totals_t *totals, const char *expected)
{
    static const char tail[] =
        ",\"worker\":\"exporter.7\",\"ts\":\"1970-01-01T00:00:00.000001Z\"}\n";
    mr_buffer_t rows;
    char *text = calloc (1, 1 << 16);
    mr_buffer_init (&rows, 1 << 16);
    ck_assert_int_eq (mr_metric_rows (totals, "exporter.7", 1000, &rows), MR_OK);
    for (size_t from = 0; from < rows.size;) {
        const char *at = rows.data + from;
        const char *end = memchr (at, '\n', rows.size - from);
        ck_assert_ptr_nonnull (end);
        size_t bytes = (size_t)(end + 1 - at);
        ck_assert_uint_gt (bytes, sizeof tail);
        ck_assert_int_eq (memcmp (end + 1 - strlen (tail), tail, strlen (tail)), 0);
        strncat (text, at, bytes - strlen (tail));
        strcat (text, "\n");
        from += bytes;
    }
    ck_assert_str_eq (text, expected);
    free (text);
    mr_buffer_release (&rows);
}

#define ROW_T(count, sum, min, max, buckets)                                                  \
    "{\"metric\":\"t\",\"type\":\"histogram\",\"labels\":{},\"count\":" count ",\"sum\":" sum \
    ",\"min\":" min ",\"max\":" max ",\"buckets\":{" buckets "}\n"
#define ROW_N(a, value)                                             \
    "{\"metric\":\"n\",\"type\":\"counter\",\"labels\":{\"a\":\"" a \
    "\",\"b\":\"x\"},\"value\":" value "\n"
#define NOTHING_T ROW_T ("0", "0", "null", "null", "\"0.5\":0,\"10\":0,\"+Inf\":0")

/* What stands in PROTOCOL.md between the fences behind "<!-- example: metric rows -->". */
static const char *
rows_of_the_document (void)
{
    static char document[1 << 20];
    FILE *file = fopen (MR_SOURCE_DIR "/PROTOCOL.md", "rb");
    ck_assert_ptr_nonnull (file);
    document[fread (document, 1, sizeof document - 1, file)] = '\0';
    ck_assert_int_eq (fclose (file), 0);
    char *from = strstr (document, "<!-- example: metric rows -->\n```json\n");
    ck_assert_ptr_nonnull (from);
    from = strstr (from, "json\n") + 5;
    char *to = strstr (from, "```");
    ck_assert_ptr_nonnull (to);
    *to = '\0';
    return from;
}

START_TEST (test_the_rows_of_the_document_are_what_is_written)
{
    mr_metric_totals_t *totals =
        make_totals ("[metric requests]\ntype = counter\nby = service\n"
                     "[metric latency]\ntype = histogram\nfield = ms\nbuckets = 0.5, 10\n");
    mr_heard_t told = {""};
    mr_buffer_t rows;
    mr_buffer_init (&rows, 4096);
    fold (totals, &totals->metrics[0]->metric, "cart", 812, &told);
    fold (totals, &totals->metrics[1]->metric, "", 3, &told);
    ck_assert_int_eq (mr_metric_rows (totals, "exporter.0", INT64_C (1795423297123456000), &rows),
                      MR_OK);
    ck_assert_int_eq (mr_buffer_append (&rows, "", 1), MR_OK);
    ck_assert_str_eq (rows.data, rows_of_the_document ());
    ck_assert_str_eq (told.text, "");
    mr_buffer_release (&rows);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_a_metric_without_labels_is_there_from_the_start)
{
    mr_metric_totals_t *totals = make_totals (two);
    assert_rows (totals, NOTHING_T);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_partials_are_added_up)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    const mr_partial_metric_t *n = &totals->metrics[0]->metric;
    const mr_partial_metric_t *t = &totals->metrics[1]->metric;
    fold (totals, n, "cart", 2, &told);
    fold (totals, n, "p\"y", 1, &told);
    fold (totals, n, "cart", 3, &told);
    fold (totals, t, "", 4, &told);
    fold (totals, t, "", 1, &told);
    ck_assert_uint_eq (totals->changes, 5);
    assert_rows (totals, ROW_N ("cart", "5") ROW_N ("p\\\"y", "1")
                             ROW_T ("5", "25", "5", "5", "\"0.5\":0,\"10\":5,\"+Inf\":5"));
    ck_assert_str_eq (told.text, "");
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_series_beyond_the_most_are_other_and_counted)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    const mr_partial_metric_t *n = &totals->metrics[0]->metric;
    fold (totals, n, "1", 1, &told);
    fold (totals, n, "2", 1, &told);
    fold (totals, n, "3", 1, &told);
    ck_assert_str_eq (told.text, "");
    fold (totals, n, "4", 10, &told);
    ck_assert_str_eq (told.text, "metric_series_full: metric n: it has 3 series, the rest is "
                                 "counted as \"other\" (10)\n");
    fold (totals, n, "5", 20, &told);
    fold (totals, n, "3", 1, &told);
    assert_rows (totals,
                 ROW_N ("1", "1") ROW_N ("2", "1") ROW_N (
                     "3", "2") "{\"metric\":\"n\",\"type\":\"counter\",\"labels\":{\"a\":\"other\","
                               "\"b\":\"other\"},\"value\":30\n" NOTHING_T);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_another_definition_of_a_metric_is_refused)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    mr_partial_metric_t changed = totals->metrics[0]->metric;
    changed.label_count = 1;
    fold (totals, &changed, "cart", 7, &told);
    ck_assert_str_eq (told.text, "metric_refused: metric n: it is defined differently here (7)\n");
    assert_rows (totals, NOTHING_T);
    ck_assert_uint_eq (totals->changes, 0);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_a_metric_that_is_not_configured_is_kept_as_it_comes)
{
    mr_metric_totals_t *totals = make_totals ("");
    mr_metric_totals_t *other = make_totals (two);
    mr_heard_t told = {""};
    assert_rows (totals, "");
    fold (totals, &other->metrics[0]->metric, "cart", 7, &told);
    mr_metric_totals_destroy (&other); /* its texts are copied */
    assert_rows (totals, ROW_N ("cart", "7"));
    ck_assert_str_eq (told.text, "");
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_nothing_of_a_broken_section_is_added)
{
    mr_metric_totals_t *totals = make_totals (two);
    const char *const values[] = {"a", "b"};
    mr_buffer_t section;
    mr_buffer_init (&section, 1 << 16);
    add_section (&section, &totals->metrics[0]->metric, values, 1);
    size_t first = section.size;
    add_section (&section, &totals->metrics[1]->metric, values, 1);
    section.data[first + 4] = 9;
    mr_heard_t told = {""};
    mr_totals_faults_t faults = {note, &told};
    mr_error_t err;
    ck_assert_int_eq (mr_metric_totals_fold (totals, section.data, section.size, &faults, &err),
                      MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "kind"));
    assert_rows (totals, NOTHING_T);
    mr_buffer_release (&section);
    mr_metric_totals_destroy (&totals);
}
END_TEST

/* Saved by one, loaded by another with this configuration. */
static mr_metric_totals_t *
reload (const mr_metric_totals_t *totals, const char *text, mr_heard_t *told)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/exporter.7.totals", mr_test_dir ());
    mr_buffer_t saved;
    mr_buffer_init (&saved, 1 << 20);
    mr_error_t err = {.text = ""};
    const mr_checkpoint_place_t place = {.spool = 17, .position = 4711};
    mr_checkpoint_place_t found = {.spool = 0};
    ck_assert_int_eq (mr_metric_totals_save (totals, &saved), MR_OK);
    ck_assert_int_eq (mr_metric_checkpoint_save (path, &place, &saved, true, &err), MR_OK);
    mr_buffer_clear (&saved);
    ck_assert_msg (mr_metric_checkpoint_load (path, &found, &saved, &err) == MR_OK, "%s", err.text);
    ck_assert_uint_eq (found.spool, place.spool);
    ck_assert_uint_eq (found.position, place.position);
    mr_metric_totals_t *loaded = make_totals (text);
    mr_totals_faults_t faults = {note, told};
    ck_assert_int_eq (mr_metric_totals_load (loaded, saved.data, saved.size, &faults, &err), MR_OK);
    mr_buffer_release (&saved);
    return loaded;
}

START_TEST (test_a_checkpoint_keeps_the_totals)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    for (int i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        fold (totals, &totals->metrics[0]->metric, name, (uint64_t)i + 1, &told);
    }
    fold (totals, &totals->metrics[1]->metric, "", 3, &told);
    told.text[0] = '\0';
    mr_metric_totals_t *loaded = reload (totals, two, &told);
    ck_assert_str_eq (told.text, "");
    assert_rows (loaded,
                 ROW_N ("a", "1") ROW_N ("b", "2")
                     ROW_N ("c", "3") "{\"metric\":\"n\",\"type\":\"counter\",\"labels\":{\"a\":"
                                      "\"other\",\"b\":\"other\"},\"value\":9\n" ROW_T (
                                          "3", "15", "5", "5", "\"0.5\":0,\"10\":3,\"+Inf\":3"));
    mr_metric_totals_destroy (&loaded);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_a_checkpoint_of_nothing_is_nothing)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    mr_metric_totals_t *loaded = reload (totals, two, &told);
    assert_rows (loaded, NOTHING_T);
    mr_metric_totals_destroy (&loaded);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_metrics_that_changed_or_went_are_not_loaded)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    fold (totals, &totals->metrics[0]->metric, "cart", 2, &told);
    fold (totals, &totals->metrics[1]->metric, "", 3, &told);
    mr_metric_totals_t *loaded =
        reload (totals, "[metric t]\ntype = histogram\nfield = ms\nbuckets = 1\n", &told);
    ck_assert_str_eq (told.text, "metric_refused: metric n: there is no such metric here (2)\n"
                                 "metric_refused: metric t: it is defined differently here (3)\n");
    mr_metric_totals_destroy (&loaded);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_every_broken_checkpoint_is_refused)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    fold (totals, &totals->metrics[0]->metric, "cart", 2, &told);
    mr_metric_totals_t *loaded = reload (totals, two, &told);
    char path[PATH_MAX];
    char file[1024];
    mr_error_t err;
    mr_buffer_t data;
    mr_checkpoint_place_t place = {.spool = 1};
    mr_buffer_init (&data, 1 << 16);
    snprintf (path, sizeof path, "%s/exporter.7.totals", mr_test_dir ());
    ck_assert_int_eq (mr_metric_checkpoint_load (path, &place, &data, &err), MR_CLOSED);
    ck_assert_int_eq (mr_metric_totals_save (totals, &data), MR_OK);
    ck_assert_int_eq (mr_metric_checkpoint_save (path, &place, &data, false, &err), MR_OK);
    int fd = open (path, O_RDONLY);
    ssize_t bytes = read (fd, file, sizeof file);
    close (fd);
    ck_assert_int_gt (bytes, MR_CHECKPOINT_HEADER_BYTES);
    mr_checkpoint_t checkpoint;
    for (size_t i = 0; i < (size_t)bytes; i++) {
        ck_assert_int_eq (mr_metric_checkpoint_decode (file, i, &checkpoint, &err), MR_INVALID);
        file[i] ^= 1;
        ck_assert_int_eq (mr_metric_checkpoint_decode (file, (size_t)bytes, &checkpoint, &err),
                          MR_INVALID);
        file[i] ^= 1;
    }
    ck_assert_int_eq (mr_metric_checkpoint_decode (file, (size_t)bytes, &checkpoint, &err), MR_OK);
    ck_assert_uint_eq (checkpoint.bytes, data.size);
    mr_buffer_release (&data);
    mr_metric_totals_destroy (&loaded);
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_a_checkpoint_that_cannot_be_written_says_so_and_leaves_the_old_one)
{
    mr_buffer_t data;
    mr_error_t err;
    mr_checkpoint_place_t place = {.spool = 1};
    mr_buffer_init (&data, 1 << 16);
    ck_assert_int_eq (mr_metric_checkpoint_save ("/proc/none/x.totals", &place, &data, true, &err),
                      MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, "/proc/none/x.totals"));
    mr_buffer_release (&data);
}
END_TEST

START_TEST (test_the_event_holds_all_or_the_rest_as_other)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    fold (totals, &totals->metrics[0]->metric, "1", 1, &told);
    fold (totals, &totals->metrics[0]->metric, "2", 2, &told);
    fold (totals, &totals->metrics[0]->metric, "3", 4, &told);
    fold (totals, &totals->metrics[0]->metric, "4", 8, &told);
    fold (totals, &totals->metrics[1]->metric, "", 2, &told);
    for (uint32_t most = 1; most < 6; most++) {
        mr_buffer_t out;
        mr_buffer_init (&out, 1 << 16);
        ck_assert_int_eq (mr_buffer_append (&out, "{", 1), MR_OK);
        ck_assert_int_eq (mr_metric_rows_event (totals, most, &out), MR_OK);
        ck_assert_int_eq (mr_buffer_append (&out, "}", 1), MR_OK);
        json_t *event = json_loadb (out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
        ck_assert (json_is_object (event));
        const json_t *n = json_array_get (json_object_get (event, "metrics"), 0);
        ck_assert_str_eq (json_string_value (json_object_get (n, "help")), "How \"many\"");
        const json_t *series = json_object_get (n, "series");
        ck_assert_uint_eq (json_array_size (series), most < 4 ? most + 1 : 4);
        json_int_t sum = 0;
        for (size_t i = 0; i < json_array_size (series); i++) {
            sum += json_integer_value (json_object_get (json_array_get (series, i), "value"));
        }
        ck_assert_int_eq (sum, 15);
        const json_t *t = json_array_get (json_object_get (event, "metrics"), 1);
        const json_t *buckets =
            json_object_get (json_array_get (json_object_get (t, "series"), 0), "buckets");
        char *text = json_dumps (buckets, JSON_COMPACT);
        ck_assert_str_eq (text, "[[0.5,0],[10,2],[\"+Inf\",2]]");
        free (text);
        json_decref (event);
        mr_buffer_release (&out);
    }
    mr_metric_totals_destroy (&totals);
}
END_TEST

START_TEST (test_rows_without_room_leave_nothing)
{
    mr_metric_totals_t *totals = make_totals (two);
    mr_heard_t told = {""};
    fold (totals, &totals->metrics[0]->metric, "1", 1, &told);
    mr_buffer_t whole;
    mr_buffer_init (&whole, 1 << 16);
    ck_assert_int_eq (mr_metric_rows (totals, "exporter.0", 0, &whole), MR_OK);
    for (size_t limit = 1; limit < whole.size; limit++) {
        mr_buffer_t out;
        mr_buffer_init (&out, limit);
        ck_assert_int_eq (mr_metric_rows (totals, "exporter.0", 0, &out), MR_INVALID);
        ck_assert_uint_eq (out.size, 0);
        mr_buffer_release (&out);
    }
    mr_buffer_release (&whole);
    mr_metric_totals_destroy (&totals);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_the_rows_of_the_document_are_what_is_written,
        test_a_metric_without_labels_is_there_from_the_start,
        test_partials_are_added_up,
        test_series_beyond_the_most_are_other_and_counted,
        test_another_definition_of_a_metric_is_refused,
        test_a_metric_that_is_not_configured_is_kept_as_it_comes,
        test_nothing_of_a_broken_section_is_added,
        test_a_checkpoint_keeps_the_totals,
        test_a_checkpoint_of_nothing_is_nothing,
        test_metrics_that_changed_or_went_are_not_loaded,
        test_every_broken_checkpoint_is_refused,
        test_a_checkpoint_that_cannot_be_written_says_so_and_leaves_the_old_one,
        test_the_event_holds_all_or_the_rest_as_other,
        test_rows_without_room_leave_nothing,
        NULL,
    };
    return mr_suite_run ("metric_totals", tests);
}
