#include "common/runtime/program_args.h"
#include "launcher/cli.h"
#include "launcher/humane.h"
#include "launcher/table.h"
#include "launcher/targets.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 8 };

static mr_error_t err;
static mr_cli_t cli;

/* Parse "millrace" and the words up to the first NULL. */
static mr_status_t
parse (const char *const words[MAX_WORDS])
{
    char *argv[MAX_WORDS + 1] = {strdup ("millrace")};
    int argc = 1;
    while (argc <= MAX_WORDS && words[argc - 1] != NULL) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    mr_status_t status = mr_cli_parse (argc, argv, &cli, &err);
    free (argv[0]);
    return status;
}

#define PARSE(...) parse ((const char *const[MAX_WORDS]){__VA_ARGS__, NULL})

START_TEST (test_options_may_stand_anywhere_and_in_each_form)
{
    ck_assert_int_eq (PARSE ("-c", "a.ini", "restart", "processor.1", "--now"), MR_OK);
    ck_assert_str_eq (cli.command->name, "restart");
    ck_assert_str_eq (cli.config, "a.ini");
    ck_assert_int_eq (cli.word_count, 1);
    ck_assert_str_eq (cli.words[0], "processor.1");
    ck_assert (cli.set[MR_CLI_NOW]);
    ck_assert_int_eq (PARSE ("status", "-cb.ini", "--timeout=2.5"), MR_OK);
    ck_assert_str_eq (cli.config, "b.ini");
    ck_assert_int_eq (cli.timeout_ms, 2500);
    ck_assert_int_eq (PARSE ("status", "--config=c.ini"), MR_OK);
    ck_assert_str_eq (cli.config, "c.ini");
}
END_TEST

START_TEST (test_the_configuration_comes_from_the_environment_else_has_a_default)
{
    setenv ("MILLRACE_CONF", "/etc/m.ini", 1);
    ck_assert_int_eq (PARSE ("status"), MR_OK);
    ck_assert_str_eq (cli.config, "/etc/m.ini");
    unsetenv ("MILLRACE_CONF");
    ck_assert_int_eq (PARSE ("status"), MR_OK);
    ck_assert_str_eq (cli.config, mr_default_config ());
}
END_TEST

START_TEST (test_a_dash_and_what_follows_two_dashes_are_words)
{
    ck_assert_int_eq (PARSE ("send", "-", "--", "--rate"), MR_OK);
    ck_assert_int_eq (cli.word_count, 2);
    ck_assert_str_eq (cli.words[0], "-");
    ck_assert_str_eq (cli.words[1], "--rate");
    ck_assert (!cli.set[MR_CLI_RATE]);
}
END_TEST

START_TEST (test_help_needs_no_command_and_no_right_arguments)
{
    ck_assert_int_eq (PARSE ("--help"), MR_OK);
    ck_assert_ptr_null (cli.command);
    ck_assert_int_eq (PARSE ("restart", "-h"), MR_OK);
    ck_assert (cli.set[MR_CLI_HELP]);
    ck_assert_str_eq (cli.command->name, "restart");
}
END_TEST

START_TEST (test_each_mistake_has_its_message)
{
    static const struct {
        const char *words[MAX_WORDS];
        const char *message;
    } cases[] = {
        {{"stauts"}, "unknown command stauts; nearest: status"},
        {{"qqqqqq"}, "unknown command qqqqqq; `millrace help` lists them"},
        {{"up", "--detatch"}, "unknown option --detatch; nearest: --detach"},
        {{"status", "--now"}, "there is no --now here; `millrace help status`"},
        {{"restart"}, "usage: millrace restart [options] STAGE[.N]..."},
        {{"up", "now"}, "\"now\" is one too many; usage: millrace up [options]"},
        {{"status", "--timeout"}, "--timeout needs a value: --timeout S"},
        {{"status", "--timeout", "x"}, "--timeout: \"x\" is not a number"},
        {{"status", "--timeout", "0"}, "--timeout: \"0\" is not a number above 0"},
        {{"status", "--timeout", "nan"}, "--timeout: \"nan\" is not a number"},
        {{"status", "--timeout", "1e9"}, "up to 86400"},
        {{"send", "--rate", "-1"}, "--rate: \"-1\" is not a number above 0"},
        {{"status", "--json=yes"}, "--json takes no value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq (parse (cases[i].words), MR_INVALID);
        ck_assert_msg (strstr (err.text, cases[i].message) != NULL, "%s: %s", cases[i].message,
                       err.text);
    }
}
END_TEST

START_TEST (test_every_command_has_help_and_sane_bounds)
{
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        ck_assert_ptr_nonnull (row->run);
        ck_assert_msg (strlen (row->help) > 10, "%s", row->name);
        ck_assert_int_le (row->min_words, row->max_words);
        ck_assert_int_eq (row->max_words > 0, row->arguments[0] != '\0');
    }
}
END_TEST

START_TEST (test_the_man_page_names_every_command_and_option)
{
    char *page = calloc (1, 65536);
    FILE *file = fopen (MR_SOURCE_DIR "/launcher/millrace.1", "r");
    ck_assert_ptr_nonnull (file);
    ck_assert_uint_gt (fread (page, 1, 65535, file), 1000);
    fclose (file);
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        ck_assert_msg (strstr (page, row->name) != NULL, "%s", row->name);
    }
    for (int option = 0; option < MR_CLI_OPTIONS; option++) {
        char written[64] = "";
        const char *name = mr_cli_option_row ((mr_cli_option_t)option)->name;
        for (size_t i = 0; name[i] != '\0'; i++) {
            strcat (written, name[i] == '-' ? "\\-" : (const char[]){name[i], '\0'});
        }
        ck_assert_msg (strstr (page, written) != NULL, "%s", written);
    }
    free (page);
}
END_TEST

START_TEST (test_a_table_is_aligned_and_has_no_trailing_spaces)
{
    static const char *const titles[] = {"NAME", ">COUNT", "STATE"};
    mr_table_t table;
    mr_buffer_t text;
    mr_table_init (&table, titles, 3);
    mr_buffer_init (&text, 4096);
    mr_table_row_t *row = mr_table_add (&table);
    strcpy (row->cells[0], "processor.1");
    strcpy (row->cells[1], "7");
    row = mr_table_add (&table);
    strcpy (row->cells[0], "a");
    strcpy (row->cells[1], "1,234,567");
    strcpy (row->cells[2], "running");
    row->colour = MR_COLOUR_BAD;
    ck_assert_int_eq (mr_table_format (&table, false, &text), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&text, "", 1), MR_OK);
    ck_assert_str_eq (text.data, "NAME             COUNT  STATE\n"
                                 "processor.1          7\n"
                                 "a            1,234,567  running\n");
    mr_buffer_clear (&text);
    ck_assert_int_eq (mr_table_format (&table, true, &text), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&text, "", 1), MR_OK);
    ck_assert_ptr_nonnull (strstr (text.data, "\033[31ma            1,234,567  running\033[0m\n"));
    mr_buffer_release (&text);
    mr_table_release (&table);
}
END_TEST

START_TEST (test_numbers_are_written_for_people)
{
    static const struct {
        double value;
        const char *text;
    } counts[] = {{0, "0"},          {999, "999"},           {1000, "1,000"}, {12345.4, "12,345"},
                  {-1234, "-1,234"}, {1234567, "1,234,567"}, {-123, "-123"}},
      times[] = {{0, "0s"},       {59.9, "59s"},     {250, "4m10s"},
                 {7500, "2h05m"}, {273600, "3d04h"}, {-5, "0s"}};
    char text[64];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        mr_humane_count (counts[i].value, text, sizeof text);
        ck_assert_str_eq (text, counts[i].text);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        mr_humane_duration (times[i].value, text, sizeof text);
        ck_assert_str_eq (text, times[i].text);
    }
}
END_TEST

static const mr_plan_t plan = {
    .stage_count = 2,
    .stages = {{"ingest", 1}, {"processor", 3}},
};

START_TEST (test_targets_of_restart)
{
    mr_job_t job;
    ck_assert_int_eq (mr_target_restart (&plan, "processor", &job, &err), MR_OK);
    ck_assert_str_eq (job.stage, "processor");
    ck_assert_int_eq (job.slot, -1);
    ck_assert_int_eq (mr_target_restart (&plan, "processor.2", &job, &err), MR_OK);
    ck_assert_int_eq (job.slot, 2);
    ck_assert_int_eq (mr_target_restart (&plan, "monitor", &job, &err), MR_OK);
    ck_assert_int_eq (mr_target_restart (&plan, "processor.3", &job, &err), MR_INVALID);
    ck_assert_int_eq (mr_target_restart (&plan, "procesor", &job, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "nearest: processor"));
    ck_assert_int_eq (mr_target_restart (&plan, "", &job, &err), MR_INVALID);
    ck_assert_int_eq (mr_target_restart (&plan, "processor.x", &job, &err), MR_INVALID);
    ck_assert_int_eq (mr_target_restart (&plan, "monitor.0", &job, &err), MR_INVALID);
}
END_TEST

START_TEST (test_targets_of_scale)
{
    static const struct {
        const char *text;
        char sign;
        int workers;
    } good[] = {{"processor=4", '=', 4}, {"processor=+2", '+', 2}, {"ingest=-1", '-', 1}};
    static const char *const bad[] = {
        "processor",    "=4",        "processor=", "processor=x",  "processor=64",
        "processor=4x", "monitor=2", "nothing=2",  "processor=--1"};
    mr_job_t job;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_int_eq (mr_target_scale (&plan, good[i].text, &job, &err), MR_OK);
        ck_assert_int_eq (job.sign, good[i].sign);
        ck_assert_int_eq (job.workers, good[i].workers);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg (mr_target_scale (&plan, bad[i], &job, &err) == MR_INVALID, "%s", bad[i]);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_options_may_stand_anywhere_and_in_each_form,
        test_the_configuration_comes_from_the_environment_else_has_a_default,
        test_a_dash_and_what_follows_two_dashes_are_words,
        test_help_needs_no_command_and_no_right_arguments,
        test_each_mistake_has_its_message,
        test_every_command_has_help_and_sane_bounds,
        test_the_man_page_names_every_command_and_option,
        test_a_table_is_aligned_and_has_no_trailing_spaces,
        test_numbers_are_written_for_people,
        test_targets_of_restart,
        test_targets_of_scale,
        NULL,
    };
    return mr_suite_run ("cli", tests);
}
