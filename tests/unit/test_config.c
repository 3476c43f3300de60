#include "common/runtime/config.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const mr_option_t resize_options[] = {
    {.key = "width", .type = MR_OPTION_INT, .min = 1, .max = 9, .fallback = "3"},
    {.key = NULL},
};

static const mr_section_schema_t resize = {"resize", false, resize_options, "A stage of its own"};

/* Load text that must be right. */
static mr_config_t *
load (const char *text)
{
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_config_load_text (text, strlen (text), "/etc/x.ini", &config, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return config;
}

START_TEST (test_an_empty_file_has_every_default)
{
    mr_config_t *config = load ("");
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    ck_assert_str_eq (mr_config_text (pipeline, "name"), "millrace");
    ck_assert_str_eq (mr_config_text (pipeline, "run_dir"), "/etc/run");
    ck_assert_str_eq (mr_config_text (pipeline, "log_dir"), "/etc/data/log");
    ck_assert_int_eq (mr_config_number (pipeline, "stop_timeout"), 30000);
    ck_assert_int_eq (mr_config_number (pipeline, "log_level"), 1);
    ck_assert_int_eq (mr_config_section_line (pipeline), 0);
    ck_assert_int_eq (mr_config_number (mr_config_section (config, "ingest"), "mode"), 0600);
    ck_assert_ptr_null (mr_config_text (mr_config_section (config, "ingest"), "pull"));
    ck_assert_ptr_null (mr_config_next_section (config, "sink", NULL));
    mr_config_destroy (&config);
    ck_assert_ptr_null (config);
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_every_default_of_the_schema_passes_its_own_row)
{
    for (const mr_section_schema_t *section = mr_schema (); section->name != NULL; section++) {
        for (const mr_option_t *row = section->options; row->key != NULL; row++) {
            mr_option_value_t value;
            mr_error_t err = {.text = ""};
            ck_assert_msg (row->help != NULL && row->help[strlen (row->help) - 1] != '.', "%s",
                           row->key);
            ck_assert_msg (row->fallback == NULL ||
                               mr_option_parse (row, row->fallback, &value, &err) == MR_OK,
                           "%s: %s", row->key, err.text);
        }
    }
}
END_TEST

START_TEST (test_repeated_keys_come_in_the_order_of_the_file)
{
    mr_config_t *config = load ("[ingest]\n"
                                "pull = ipc://run/in ; a comment\n"
                                "router = tcp://127.0.0.1:7001\n"
                                "pull = tcp://*:7000\n");
    const mr_config_section_t *ingest = mr_config_section (config, "ingest");
    ck_assert_int_eq (mr_config_section_line (ingest), 1);
    ck_assert_str_eq (mr_config_text (ingest, "pull"), "ipc:///etc/run/in");
    const mr_config_entry_t *entry = mr_config_next (ingest, "pull", NULL);
    ck_assert_str_eq (entry->value.text, "ipc:///etc/run/in");
    ck_assert_str_eq (entry->written, "ipc://run/in");
    ck_assert_int_eq (entry->line, 2);
    ck_assert_ptr_eq (entry->section, ingest);
    entry = mr_config_next (ingest, "pull", entry);
    ck_assert_str_eq (entry->value.text, "tcp://*:7000");
    ck_assert_ptr_null (mr_config_next (ingest, "pull", entry));
    entry = mr_config_next (ingest, NULL, mr_config_next (ingest, NULL, NULL));
    ck_assert_str_eq (entry->key, "router");
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_steps_keep_their_order_and_their_quotes)
{
    mr_config_t *config = load ("[processor]\n"
                                "set = env = \"a ; b\"\n"
                                "drop = level == \"debug\"\n"
                                "  or level == \"trace\"\n"
                                "set = x = \"y\"\n");
    static const char *const expected[] = {"env = \"a ; b\"",
                                           "level == \"debug\" or level == \"trace\"", "x = \"y\""};
    const mr_config_section_t *processor = mr_config_section (config, "processor");
    const mr_config_entry_t *entry = NULL;
    for (size_t i = 0; i < 3; i++) {
        entry = mr_config_next (processor, NULL, entry);
        ck_assert_ptr_nonnull (entry);
        ck_assert_uint_ne (entry->option->flags & MR_OPTION_ORDERED, 0);
        ck_assert_str_eq (entry->value.text, expected[i]);
    }
    ck_assert_ptr_null (mr_config_next (processor, NULL, entry));
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_named_sections_come_in_the_order_of_the_file)
{
    mr_config_t *config = load ("[sink b]\ntype = file\npath = ./out//b.jsonl\n"
                                "[metric hits]\ntype = counter\nhelp = \"a \\\"hit\\\"\"\n"
                                "[sink a]\ntype = stdout\ninput = dead\n");
    const mr_config_section_t *sink = mr_config_next_section (config, "sink", NULL);
    ck_assert_str_eq (mr_config_section_name (sink), "b");
    ck_assert_str_eq (mr_config_text (sink, "path"), "/etc/out/b.jsonl");
    sink = mr_config_next_section (config, "sink", sink);
    ck_assert_str_eq (mr_config_section_name (sink), "a");
    ck_assert_int_eq (mr_config_number (sink, "input"), 2);
    ck_assert_int_eq (mr_config_section_line (sink), 7);
    ck_assert_ptr_null (mr_config_next_section (config, "sink", sink));
    const mr_config_section_t *metric = mr_config_next_section (config, "metric", NULL);
    ck_assert_str_eq (mr_config_text (metric, "help"), "a \"hit\"");
    ck_assert_ptr_null (mr_config_text (metric, "by"));
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_values_take_from_the_environment)
{
    setenv ("MR_TEST_NAME", "shop \"one\"", 1);
    setenv ("MR_TEST_DIR", "/srv", 1);
    mr_config_t *config = load ("[pipeline]\nname = ${MR_TEST_NAME}-$${x} $5\n"
                                "data_dir = ${MR_TEST_DIR}/d\n");
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    ck_assert_str_eq (mr_config_text (pipeline, "name"), "shop \"one\"-${x} $5");
    ck_assert_str_eq (mr_config_text (pipeline, "data_dir"), "/srv/d");
    ck_assert_str_eq (mr_config_next (pipeline, "data_dir", NULL)->written, "${MR_TEST_DIR}/d");
    mr_config_destroy (&config);
}
END_TEST

static uint64_t
hash_of (const char *text)
{
    mr_config_t *config = load (text);
    uint64_t hash = mr_config_hash (config);
    mr_config_destroy (&config);
    return hash;
}

START_TEST (test_the_hash_changes_with_what_matters_alone)
{
    uint64_t hash = hash_of ("[processor]\nkeep = a\ndrop = b\n");
    ck_assert (hash == hash_of ("# x\n[processor]\n\nkeep = a ; y\ndrop =   b"));
    ck_assert (hash != hash_of ("[processor]\ndrop = b\nkeep = a\n"));
    ck_assert (hash != hash_of ("[processor]\nkeep = a\ndrop = c\n"));
    ck_assert (hash != hash_of (""));
    setenv ("MR_TEST_HASH", "a", 1);
    uint64_t first = hash_of ("[pipeline]\nname = ${MR_TEST_HASH}\n");
    setenv ("MR_TEST_HASH", "b", 1);
    ck_assert (first != hash_of ("[pipeline]\nname = ${MR_TEST_HASH}\n"));
}
END_TEST

START_TEST (test_a_stage_without_schema_is_kept_for_its_program)
{
    mr_config_t *config = load ("[resize]\nworkers = 3\nwidth = 7\n"
                                "[pipeline]\nchain = ingest, resize, crop, exporter\n");
    const mr_config_section_t *section = mr_config_section (config, "resize");
    ck_assert_int_eq (mr_config_number (section, "workers"), 3);
    const mr_config_entry_t *entry = mr_config_next (section, "width", NULL);
    ck_assert_ptr_null (entry->option);
    ck_assert_str_eq (entry->value.text, "7");
    ck_assert_int_eq (mr_config_number (mr_config_section (config, "crop"), "workers"), 1);
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_a_stage_checks_its_section_with_its_own_schema)
{
    static const char text[] = "[pipeline]\nchain = ingest, resize\n[resize]\nwidth = 7\n";
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    const char *path = mr_test_ini (text, sizeof text - 1);
    ck_assert_msg (mr_config_load (path, &resize, &config, &err) == MR_OK, "%s", err.text);
    const mr_config_section_t *section = mr_config_section (config, "resize");
    ck_assert_int_eq (mr_config_number (section, "width"), 7);
    ck_assert_int_eq (mr_config_number (section, "workers"), 1);
    mr_config_destroy (&config);
    static const char bad[] = "[resize]\nwdth = 7\n";
    path = mr_test_ini (bad, sizeof bad - 1);
    ck_assert_int_eq (mr_config_load (path, &resize, &config, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, ":2: [resize] wdth: unknown key; nearest: width"));
}
END_TEST

START_TEST (test_parents_in_a_path_are_resolved_through_links)
{
    char text[16384];
    char link[4096];
    char real[4096];
    const char *dir = mr_test_dir ();
    ck_assert_ptr_nonnull (realpath (dir, real));
    snprintf (link, sizeof link, "%s/link", dir);
    (void)unlink (link);
    ck_assert_int_eq (symlink ("/proc/self", link), 0);
    snprintf (text, sizeof text,
              "[sink a]\ntype = file\npath = %s/new/../a\n[sink b]\ntype = file\n"
              "path = %s/../version\n[sink c]\ntype = file\npath = ../../../c\n"
              "[ingest]\npull = ipc://%s/new/x/../../in{slot}\n"
              "[sink d]\ntype = file\npath = %s/d..e\n",
              dir, link, dir, link);
    mr_config_t *config = load (text);
    char expected[4200];
    const mr_config_section_t *sink = mr_config_next_section (config, "sink", NULL);
    snprintf (expected, sizeof expected, "%s/a", real);
    ck_assert_str_eq (mr_config_text (sink, "path"), expected);
    sink = mr_config_next_section (config, "sink", sink);
    ck_assert_str_eq (mr_config_text (sink, "path"), "/proc/version");
    sink = mr_config_next_section (config, "sink", sink);
    ck_assert_str_eq (mr_config_text (sink, "path"), "/c");
    sink = mr_config_next_section (config, "sink", sink);
    snprintf (expected, sizeof expected, "%s/d..e", link); /* as it was written */
    ck_assert_str_eq (mr_config_text (sink, "path"), expected);
    snprintf (expected, sizeof expected, "ipc://%s/in{slot}", real);
    ck_assert_str_eq (mr_config_text (mr_config_section (config, "ingest"), "pull"), expected);
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_paths_are_relative_to_the_file_and_not_to_the_caller)
{
    static const char text[] = "[ingest]\npull = ipc://in\n";
    const char *path = mr_test_ini (text, sizeof text - 1);
    char dir[4096];
    char expected[4200];
    snprintf (dir, sizeof dir, "%.*s", (int)(strrchr (path, '/') - path), path);
    ck_assert_int_eq (chdir (dir), 0);
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_msg (mr_config_load ("./x.ini", NULL, &config, &err) == MR_OK, "%s", err.text);
    char real[4096];
    ck_assert_ptr_nonnull (realpath (dir, real));
    snprintf (expected, sizeof expected, "%s/x.ini", real);
    ck_assert_str_eq (mr_config_file (config), expected);
    snprintf (expected, sizeof expected, "ipc://%s/in", real);
    ck_assert_str_eq (mr_config_text (mr_config_section (config, "ingest"), "pull"), expected);
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_a_later_fault_names_the_place_of_the_value)
{
    mr_config_t *config = load ("[sink s]\ntype = stdout\nmatch = a ==\n");
    const mr_config_section_t *sink = mr_config_next_section (config, "sink", NULL);
    mr_error_t err;
    ck_assert_int_eq (mr_config_fault (config, mr_config_next (sink, "match", NULL), &err,
                                       "column %d: a value is expected", 5),
                      MR_CONFIG);
    ck_assert_str_eq (err.text, "/etc/x.ini:3: [sink s] match: column 5: a value is expected");
    mr_config_destroy (&config);
}
END_TEST

static void
join_word (const char *word, void *arg)
{
    mr_heard (arg, "%s|", word);
}

START_TEST (test_words_of_a_list_are_trimmed)
{
    mr_heard_t words = {{0}};
    mr_config_words (" a , b\tc,d ", join_word, &words);
    ck_assert_str_eq (words.text, "a|b\tc|d|");
}
END_TEST

/* Load a path that must fail; what follows "PATH: " in the message. */
static void
unreadable (const char *path, const char *message)
{
    char expected[5000];
    snprintf (expected, sizeof expected, "%s: %s", path, message);
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_config_load (path, NULL, &config, &err), MR_CONFIG);
    ck_assert_str_eq (err.text, expected);
    ck_assert_ptr_null (config);
}

START_TEST (test_what_cannot_be_read_says_why)
{
    char path[4096];
    unreadable ("/nowhere/x.ini", "cannot be read: No such file or directory");
    unreadable ("", "cannot be read: No such file or directory");
    unreadable ("/dev/null", "is not a regular file");
    snprintf (path, sizeof path, "%s", mr_test_dir ());
    unreadable (path, "is a directory; name the file in it");
    snprintf (path, sizeof path, "%s/fifo", mr_test_dir ());
    ck_assert_int_eq (mkfifo (path, 0600), 0);
    unreadable (path, "is not a regular file");
}
END_TEST

START_TEST (test_a_file_without_read_permission_says_so)
{
    const char *path = mr_test_ini ("", 0);
    ck_assert_int_eq (chmod (path, 0), 0);
    bool root = geteuid () == 0;
    if (root) { /* who reads everything: ask as somebody else, in check's fork */
        char dir[4096];
        snprintf (dir, sizeof dir, "%.*s", (int)(strrchr (path, '/') - path), path);
        ck_assert_int_eq (chmod (dir, 0755), 0);
        ck_assert_int_eq (seteuid (65534), 0);
    }
    unreadable (path, "cannot be read: Permission denied");
    ck_assert (!root || seteuid (0) == 0);
}
END_TEST

START_TEST (test_a_file_over_one_mebibyte_is_refused)
{
    size_t bytes = (1 << 20) + 1;
    char *text = malloc (bytes);
    memset (text, '\n', bytes);
    const char *path = mr_test_ini (text, bytes);
    unreadable (path, "is larger than 1 MiB; is it a configuration?");
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    path = mr_test_ini (text, bytes - 1);
    ck_assert_msg (mr_config_load (path, NULL, &config, &err) == MR_OK, "%s", err.text);
    mr_config_destroy (&config);
    free (text);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_an_empty_file_has_every_default,
        test_every_default_of_the_schema_passes_its_own_row,
        test_repeated_keys_come_in_the_order_of_the_file,
        test_steps_keep_their_order_and_their_quotes,
        test_named_sections_come_in_the_order_of_the_file,
        test_values_take_from_the_environment,
        test_the_hash_changes_with_what_matters_alone,
        test_a_stage_without_schema_is_kept_for_its_program,
        test_a_stage_checks_its_section_with_its_own_schema,
        test_parents_in_a_path_are_resolved_through_links,
        test_paths_are_relative_to_the_file_and_not_to_the_caller,
        test_a_later_fault_names_the_place_of_the_value,
        test_words_of_a_list_are_trimmed,
        test_what_cannot_be_read_says_why,
        test_a_file_without_read_permission_says_so,
        test_a_file_over_one_mebibyte_is_refused,
        NULL,
    };
    return mr_suite_run ("config", tests);
}
