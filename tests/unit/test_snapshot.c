#include "common/base/buffer.h"
#include "monitor/report.h"
#include "monitor/snapshot.h"
#include "tests/support/monitor/registry.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[PATH_MAX];
static char aside[PATH_MAX];

static void
make_path (void)
{
    snprintf (path, sizeof path - 8, "%s/monitor.snapshot.json", mr_test_dir ());
    snprintf (aside, sizeof aside, "%.*s.bad", PATH_MAX - 8, path);
}

/* A registry with something of everything. */
static mr_registry_t *
full_registry (void)
{
    mr_registry_t *registry = mr_test_registry ();
    for (uint64_t life = 1; life <= MR_REGISTRY_ENDED + 5; life++) {
        mr_test_counters_t counters = {life, 1, 1, 10, 2};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    }
    ck_assert_int_eq (mr_test_success (registry, 777, 3, 2.5, 100), MR_OK);
    ck_assert_int_eq (mr_test_success (registry, 777, 6, 0.1, 100), MR_OK);
    ck_assert_int_eq (mr_test_error (registry, 777, 7, 3), MR_OK);
    ck_assert_int_eq (
        mr_test_event (registry, "totals.exporter.0",
                       "{'worker':'exporter.0','incarnation':'0000000000000009','event_seq':4,"
                       "'ts':'2026-11-23T08:41:38Z','metrics':[{'metric':'h','type':'histogram',"
                       "'help':'\\u00e9','series':[{'labels':{'a':'\\\"'},'count':2,'sum':0.1,"
                       "'min':0.05,'max':0.05,'buckets':[[0.1,2]]}]}]}"),
        MR_OK);
    ck_assert_int_eq (mr_test_event (registry, "gossip", "{}"), MR_INVALID);
    return registry;
}

static void
render (const mr_registry_t *registry, mr_buffer_t *text)
{
    mr_report_t report = {.registry = registry, .pipeline = "shop"};
    mr_buffer_init (text, 1 << 20);
    ck_assert_int_eq (mr_report_metrics (&report, text), MR_OK);
    ck_assert_int_eq (mr_report_prometheus (&report, text), MR_OK);
    ck_assert_int_eq (mr_buffer_append (text, "", 1), MR_OK);
}

START_TEST (test_a_snapshot_brings_back_every_figure)
{
    make_path ();
    mr_registry_t *before = full_registry ();
    mr_registry_t *after = mr_test_registry ();
    mr_error_t err;
    ck_assert_int_eq (mr_snapshot_save (before, path, 0, &err), MR_OK);
    mr_status_t status = mr_snapshot_load (after, path, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    mr_buffer_t old_text;
    mr_buffer_t new_text;
    render (before, &old_text);
    render (after, &new_text);
    ck_assert_str_eq (new_text.data, old_text.data);
    /* The life goes on where it was: what it says again replaces, and no gap is seen. */
    ck_assert_int_eq (mr_test_counters (after, (mr_test_counters_t){777, 90, 3, 300, 3}), MR_OK);
    ck_assert_uint_eq (after->missed, before->missed);
    ck_assert_uint_eq (mr_test_tally (after, "processor.handle").records,
                       10 * (MR_REGISTRY_ENDED + 5) + 300);
    mr_buffer_release (&old_text);
    mr_buffer_release (&new_text);
    mr_registry_destroy (&before);
    mr_registry_destroy (&after);
}
END_TEST

START_TEST (test_no_snapshot_is_a_fresh_start)
{
    make_path ();
    mr_registry_t *registry = mr_test_registry ();
    ck_assert_int_eq (mr_snapshot_load (registry, path, NULL), MR_CLOSED);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_every_cut_of_a_snapshot_is_set_aside)
{
    make_path ();
    mr_registry_t *registry = full_registry ();
    mr_error_t err;
    ck_assert_int_eq (mr_snapshot_save (registry, path, 0, &err), MR_OK);
    struct stat whole;
    ck_assert_int_eq (stat (path, &whole), 0);
    for (off_t size = 0; size < whole.st_size; size += 97) {
        ck_assert_int_eq (mr_snapshot_save (registry, path, 0, &err), MR_OK);
        ck_assert_int_eq (truncate (path, size), 0);
        mr_registry_t *loaded = mr_test_registry ();
        ck_assert_int_eq (mr_snapshot_load (loaded, path, &err), MR_INVALID);
        ck_assert_ptr_nonnull (strstr (err.text, "set aside as"));
        ck_assert_int_ne (access (path, F_OK), 0);
        ck_assert_int_eq (access (aside, F_OK), 0);
        mr_registry_destroy (&loaded);
    }
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_a_snapshot_of_another_shape_is_set_aside)
{
    /* The file, what is said of it behind the names. */
    static const char *const bad[][2] = {
        {"[]", "snapshot: not a JSON object"},
        {"{}", "snapshot: bad version"},
        {"{", "bad JSON at byte 1: "},
        {"{\"version\":2}", "snapshot: version 2, this program reads 1"},
        {"{\"version\":1}", "snapshot: bad ended"},
        {"{\"version\":1,\"ended\":{\"a\":{}},\"ended_ledger\":{},\"lives\":[],\"totals\":[]}",
         "snapshot: bad ended_latency_count"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_path ();
        FILE *file = fopen (path, "w");
        ck_assert_ptr_nonnull (file);
        fputs (bad[i][0], file);
        fclose (file);
        mr_error_t err;
        mr_registry_t *registry = mr_test_registry ();
        ck_assert_int_eq (mr_snapshot_load (registry, path, &err), MR_INVALID);
        ck_assert_msg (strstr (err.text, bad[i][1]) != NULL, "\"%s\" instead of \"%s\"", err.text,
                       bad[i][1]);
        ck_assert_int_eq (access (aside, F_OK), 0);
        mr_registry_destroy (&registry);
    }
}
END_TEST

START_TEST (test_a_snapshot_that_cannot_be_written_leaves_the_last_one)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_error_t err;
    ck_assert_int_eq (mr_snapshot_save (registry, "/nowhere/at/all.json", 0, &err), MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, "/nowhere/at/all.json"));
    mr_registry_destroy (&registry);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_snapshot_brings_back_every_figure,
        test_no_snapshot_is_a_fresh_start,
        test_every_cut_of_a_snapshot_is_set_aside,
        test_a_snapshot_of_another_shape_is_set_aside,
        test_a_snapshot_that_cannot_be_written_leaves_the_last_one,
        NULL,
    };
    return mr_suite_run ("snapshot", tests);
}
