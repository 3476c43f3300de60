#include "launcher/scalefile.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mr_plan_t plan;

static void
begin (int processors, int exporters)
{
    plan = (mr_plan_t){.stage_count = 2,
                       .stages = {{"processor", processors}, {"exporter", exporters}}};
    snprintf (plan.run_dir, sizeof plan.run_dir, "%s", mr_test_dir ());
}

static const char *
path_of_file (void)
{
    static char path[PATH_MAX + 32];
    snprintf (path, sizeof path, "%s/launcher.scale", plan.run_dir);
    return path;
}

static void
put (const char *text)
{
    FILE *file = fopen (path_of_file (), "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_ge (fputs (text, file), 0);
    ck_assert_int_eq (fclose (file), 0);
}

static void
assert_workers (int processors, int exporters)
{
    ck_assert_int_eq (plan.stages[0].workers, processors);
    ck_assert_int_eq (plan.stages[1].workers, exporters);
}

START_TEST (test_what_was_scaled_is_found_by_the_next_launcher)
{
    begin (4, 63);
    mr_scalefile_write (&plan);
    plan.stages[0].workers = plan.stages[1].workers = 1;
    (void)mr_scalefile_read (&plan);
    assert_workers (4, 63);
}
END_TEST

START_TEST (test_after_down_the_configuration_counts)
{
    begin (4, 2);
    mr_scalefile_write (&plan);
    mr_scalefile_remove (&plan);
    mr_scalefile_remove (&plan); /* also where there is none */
    plan.stages[0].workers = 1;
    (void)mr_scalefile_read (&plan);
    assert_workers (1, 2);
}
END_TEST

START_TEST (test_what_cannot_be_meant_is_left_as_the_configuration_has_it)
{
    static const char *const texts[] = {
        "",
        "{",
        "[1,2]",
        "{\"processor\":0,\"exporter\":64}",
        "{\"processor\":-1,\"exporter\":\"5\"}",
        "{\"processor\":4.5,\"exporter\":null}",
        "{\"other\":7}",
        "{\"processor\":4294967297}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        begin (3, 2);
        put (texts[i]);
        (void)mr_scalefile_read (&plan);
        assert_workers (3, 2);
    }
}
END_TEST

START_TEST (test_of_a_chain_that_was_changed_the_stages_that_are_left_count)
{
    begin (3, 2);
    put ("{\"enrich\":9,\"exporter\":5}");
    (void)mr_scalefile_read (&plan);
    assert_workers (3, 5);
}
END_TEST

START_TEST (test_a_directory_that_is_gone_stops_nobody)
{
    begin (3, 2);
    ck_assert_int_eq (rmdir (plan.run_dir), 0);
    mr_scalefile_write (&plan);
    (void)mr_scalefile_read (&plan);
    assert_workers (3, 2);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_what_was_scaled_is_found_by_the_next_launcher,
        test_after_down_the_configuration_counts,
        test_what_cannot_be_meant_is_left_as_the_configuration_has_it,
        test_of_a_chain_that_was_changed_the_stages_that_are_left_count,
        test_a_directory_that_is_gone_stops_nobody,
        NULL,
    };
    return mr_suite_run ("scalefile", tests);
}
