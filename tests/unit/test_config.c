#include "common/runtime/config.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Load text that must be right. */
static mr_config_t *
load (const char *text)
{
    mr_config_t *config = NULL;
    mr_error_t err = {""};
    mr_status_t status = mr_config_load_text (text, strlen (text), "/etc/x.ini", &config, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return config;
}

static void
rejects (const char *text, const char *message)
{
    mr_config_t *config = NULL;
    mr_error_t err = {""};
    mr_status_t status = mr_config_load_text (text, strlen (text), "/etc/x.ini", &config, &err);
    ck_assert_msg (status == MR_CONFIG, "accepted: %s", text);
    ck_assert_ptr_null (config);
    ck_assert_str_eq (err.text, message);
}

START_TEST (test_an_empty_file_has_every_default)
{
    mr_config_t *config = load ("");
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    ck_assert_str_eq (mr_config_text (pipeline, "name"), "millrace");
    ck_assert_str_eq (mr_config_text (pipeline, "run_dir"), "/etc/run");
    ck_assert_int_eq (mr_config_number (pipeline, "stop_timeout"), 30000);
    ck_assert_int_eq (mr_config_section_line (pipeline), 0);
    ck_assert_int_eq (mr_config_number (mr_config_section (config, "ingest"), "mode"), 0600);
    ck_assert_ptr_null (mr_config_text (mr_config_section (config, "ingest"), "pull"));
    ck_assert_ptr_null (mr_config_next_section (config, "sink", NULL));
    mr_config_destroy (&config);
    ck_assert_ptr_null (config);
}
END_TEST

START_TEST (test_a_small_file_is_read)
{
    mr_config_t *config = load ("[ingest]\n"
                                "pull = ipc://run/in ; a comment\n"
                                "pull = tcp://*:7000\n"
                                "[sink out]\n"
                                "type = file\n"
                                "path = data/out.jsonl\n");
    const mr_config_section_t *ingest = mr_config_section (config, "ingest");
    const mr_config_entry_t *entry = mr_config_next (ingest, "pull", NULL);
    ck_assert_str_eq (entry->value.text, "ipc:///etc/run/in");
    ck_assert_int_eq (entry->line, 2);
    entry = mr_config_next (ingest, "pull", entry);
    ck_assert_str_eq (entry->value.text, "tcp://*:7000");
    ck_assert_ptr_null (mr_config_next (ingest, "pull", entry));
    const mr_config_section_t *sink = mr_config_next_section (config, "sink", NULL);
    ck_assert_str_eq (mr_config_section_name (sink), "out");
    ck_assert_str_eq (mr_config_text (sink, "path"), "/etc/data/out.jsonl");
    ck_assert_ptr_null (mr_config_next_section (config, "sink", sink));
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_an_unknown_key_names_the_nearest)
{
    rejects ("[ingest]\nwindwo = 3\n",
             "/etc/x.ini:2: [ingest] windwo: unknown key; nearest: window");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_an_empty_file_has_every_default,
        test_a_small_file_is_read,
        test_an_unknown_key_names_the_nearest,
        NULL,
    };
    return mr_suite_run ("config", tests);
}
