#include "common/runtime/program_args.h"

#include "common/base/status.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const mr_program_t stage = {.name = "processor",
                                   .help = "Changes records.",
                                   .signals = "SIGTERM drains.",
                                   .busy = "temporary",
                                   .has_slot = true};
static const mr_program_t watcher = {
    .name = "monitor", .help = "Watches.", .signals = "SIGTERM stops it.", .busy = "port taken"};

enum { WORDS_MAX = 8 };

/* Parse words that end with NULL; what is printed goes nowhere. */
static int
parse (const mr_program_t *program, const char *const *words, mr_program_args_t *ret_args)
{
    char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t) "millrace-x"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    ck_assert_ptr_nonnull (freopen ("/dev/null", "w", stdout));
    ck_assert_ptr_nonnull (freopen ("/dev/null", "w", stderr));
    return mr_program_args_parse (argc, argv, program, ret_args);
}

#define PARSE(program, ret_args, ...) \
    parse (program, (const char *const[]){__VA_ARGS__, NULL}, ret_args)

START_TEST (test_every_option_is_taken)
{
    mr_program_args_t args;
    ck_assert_int_eq (
        PARSE (&stage, &args, "-c", "x.ini", "-n", "62", "--ready-fd", "3", "--check", "--quiet"),
        -1);
    ck_assert_str_eq (args.config_path, "x.ini");
    ck_assert_int_eq (args.slot, 62);
    ck_assert_int_eq (args.ready_fd, 3);
    ck_assert (args.check && args.quiet);
}
END_TEST

START_TEST (test_without_options_the_environment_says_which_file)
{
    mr_program_args_t args;
    ck_assert_int_eq (unsetenv ("MILLRACE_CONF"), 0);
    ck_assert_int_eq (parse (&watcher, (const char *const[]){NULL}, &args), -1);
    static const char *const places[] = {"conf/millrace.ini", "/etc/millrace/millrace.ini", NULL};
    ck_assert_str_eq (args.config_path, mr_first_file (places));
    ck_assert_int_eq (args.slot, 0);
    ck_assert_int_eq (args.ready_fd, -1);
    ck_assert (!args.check && !args.quiet);
    ck_assert_int_eq (setenv ("MILLRACE_CONF", "/etc/y.ini", 1), 0);
    ck_assert_int_eq (parse (&stage, (const char *const[]){NULL}, &args), -1);
    ck_assert_str_eq (args.config_path, "/etc/y.ini");
    ck_assert_int_eq (setenv ("MILLRACE_CONF", "", 1), 0); /* as good as not set */
    ck_assert_int_eq (parse (&stage, (const char *const[]){NULL}, &args), -1);
    ck_assert_str_eq (args.config_path, mr_first_file (places));
}
END_TEST

START_TEST (test_of_several_places_the_first_with_a_file_counts)
{
    static const char *const all[] = {"/nowhere/a", "/proc/self/stat", "/proc/self/maps", NULL};
    static const char *const none[] = {"/nowhere/a", "/nowhere/b", NULL};
    ck_assert_str_eq (mr_first_file (all), "/proc/self/stat");
    ck_assert_str_eq (mr_first_file (none), "/nowhere/a");
}
END_TEST

START_TEST (test_a_program_that_is_alone_has_no_slot)
{
    mr_program_args_t args;
    ck_assert_int_eq (PARSE (&watcher, &args, "-n", "1"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&watcher, &args, "--slot", "1"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&watcher, &args, "--check"), -1);
}
END_TEST

START_TEST (test_what_makes_no_sense_is_usage)
{
    mr_program_args_t args;
    ck_assert_int_eq (PARSE (&stage, &args, "-n", "63"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&stage, &args, "-n", "-1"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&stage, &args, "-n", ""), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&stage, &args, "--ready-fd", "x"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&stage, &args, "-c"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&stage, &args, "--nonsense"), MR_EXIT_USAGE);
    ck_assert_int_eq (PARSE (&stage, &args, "extra"), MR_EXIT_USAGE);
}
END_TEST

START_TEST (test_help_and_version_end_well)
{
    mr_program_args_t args;
    ck_assert_int_eq (PARSE (&stage, &args, "--help"), MR_EXIT_OK);
    ck_assert_int_eq (PARSE (&watcher, &args, "-h"), MR_EXIT_OK);
    ck_assert_int_eq (PARSE (&watcher, &args, "-V"), MR_EXIT_OK);
    ck_assert_int_eq (PARSE (&stage, &args, "--version"), MR_EXIT_OK);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_every_option_is_taken,
        test_without_options_the_environment_says_which_file,
        test_of_several_places_the_first_with_a_file_counts,
        test_a_program_that_is_alone_has_no_slot,
        test_what_makes_no_sense_is_usage,
        test_help_and_version_end_well,
        NULL,
    };
    return mr_suite_run ("program_args", tests);
}
