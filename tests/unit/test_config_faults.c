/* All faults of a file at once: each told, each once, in the order of the file. */
#include "common/runtime/config.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lines that check reports, without the path. */
static void
collect (const char *text, void *arg)
{
    const char *colon = strstr (text, "x.ini:");
    mr_heard (arg, "%s\n", colon != NULL ? colon + 6 : text);
}

START_TEST (test_check_reports_every_fault_in_the_order_of_the_file)
{
    static const char text[] = "[pipeline]\nchain = ingest\nnmae = x\n"
                               "[ingest]\nwindow = 0\nnonsense\n[snik a]\ntype = file\n"
                               "[sink b]\nenvelope = yes\ninput = dead\n";
    mr_heard_t heard = {{0}};
    const char *path = mr_test_ini (text, sizeof text - 1);
    ck_assert_int_eq (mr_config_check (path, NULL, collect, &heard), 6);
    ck_assert_str_eq (
        heard.text,
        "2: [pipeline] chain: a chain has at least two stages\n"
        "3: [pipeline] nmae: unknown key; nearest: name\n"
        "5: [ingest] window: 0 is not in 1 .. 65536\n"
        "6: \"nonsense\" is neither [section] nor key = value\n"
        "7: [snik a]: unknown section; nearest: [sink]\n"
        "9: [sink b] type: is missing: Append lines to a file, or print them while in the "
        "foreground; one of: file|stdout\n"
        "10: warning: [sink b] envelope: only matters for input = records\n");
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_config_load (path, NULL, &config, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "at least two stages (and 5 more: millrace check "));
}
END_TEST

START_TEST (test_check_of_a_right_file_without_input_and_sink_only_warns)
{
    mr_heard_t heard = {{0}};
    const char *path = mr_test_ini ("\n[ingest]\n", 10);
    ck_assert_int_eq (mr_config_check (path, NULL, collect, &heard), 0);
    ck_assert_str_eq (heard.text,
                      " warning: no [sink]: records are counted as exported and kept nowhere\n"
                      "2: warning: [ingest]: no input: no pull, router or tcp, so nothing "
                      "can come in\n");
}
END_TEST

START_TEST (test_check_shows_a_hundred_faults_and_counts_the_rest)
{
    mr_heard_t text = {{0}};
    for (size_t i = 0; i < 150; i++) {
        mr_heard (&text, "nonsense\n");
    }
    mr_heard_t heard = {{0}};
    const char *path = mr_test_ini (text.text, strlen (text.text));
    ck_assert_int_eq (mr_config_check (path, NULL, collect, &heard), 150);
    ck_assert_ptr_nonnull (strstr (heard.text, "\n100: \"nonsense\""));
    ck_assert_ptr_nonnull (strstr (heard.text, " and 50 more\n"));
    ck_assert_ptr_null (strstr (heard.text, "\n101:"));
}
END_TEST

/* What check says of a text, each line without the path. */
static void
says (const char *text, const char *expected)
{
    mr_heard_t heard = {{0}};
    (void)mr_config_check (mr_test_ini (text, strlen (text)), NULL, collect, &heard);
    ck_assert_str_eq (heard.text, expected);
}

START_TEST (test_one_fault_is_told_once)
{
    static char text[10000];
    unsetenv ("MR_TEST_UNSET");
    says ("[ingest]\ntcp = 127.0.0.1:8090\n[monitor]\nhttp = 127.0.0.1:99999\n[sink a]\n"
          "type = fil\npath = x\n",
          "4: [monitor] http: \"99999\" is not a port (0 .. 65535), or off\n"
          "6: [sink a] type: unknown word \"fil\"; nearest: file; one of: file|stdout\n");
    says ("[sink a]\ntype = stdout\ninput = metrik\ninterval = 5s\nenvelope = yes\n",
          "3: [sink a] input: unknown word \"metrik\"; nearest: metrics; one of: "
          "records|metrics|dead\n");
    says (
        "[pipeline]\nchain = ingest, ${MR_TEST_UNSET}\n[enrich]\nx = 1\n[ingest]\npull = ipc://in\n"
        "[sink a]\ntype = stdout\n",
        "2: [pipeline] chain: the environment has no variable MR_TEST_UNSET\n");
    says (
        "[pipeline]\nchain = ingest, A\n[ingest]\npull = ipc://in\n",
        "2: [pipeline] chain: \"A\" is not a stage; write a-z first, then a-z 0-9 _ -, at most 32 "
        "characters\n");
    says ("[sink a]\ntype = file\npath = \x01\n[sink b]\ntype = \xff\n",
          "3: a control character (0x01)\n5: not UTF-8: byte 0xff\n");
    size_t bytes = (size_t)snprintf (text, sizeof text, "[sink a]\ntype = file\npath = ");
    memset (text + bytes, 'x', 9000);
    says (text, "3: [sink a] path: the value is too long; 8192 bytes are the limit\n");
}
END_TEST

START_TEST (test_what_prometheus_would_name_otherwise_is_warned_of)
{
    static const char rest[] = "[ingest]\npull = ipc://in\n[sink a]\ntype = stdout\n";
    static const char *const cases[][2] = {
        {"[metric hits]\ntype = counter\nby = a_b, a.c\n"
         "[metric wait_seconds]\ntype = histogram\nfield = ms\n",
         ""},
        {"[metric hits_total]\ntype = counter\n",
         "1: warning: [metric hits_total]: /metrics adds _total to a counter by itself; this one "
         "is shown as it is\n"},
        {"[metric t_total]\ntype = histogram\nfield = a\n",
         "1: warning: [metric t_total]: _total is how Prometheus' counters end; this is a "
         "histogram\n"},
        {"[metric h_count]\ntype = counter\n[metric h_sum]\ntype = counter\n"
         "[metric h_bucket]\ntype = counter\n",
         "1: warning: [metric h_count]: _count is how the lines of a histogram end in Prometheus; "
         "leave it out\n"
         "3: warning: [metric h_sum]: _sum is how the lines of a histogram end in Prometheus; "
         "leave it out\n"
         "5: warning: [metric h_bucket]: _bucket is how the lines of a histogram end in "
         "Prometheus; leave it out\n"},
        {"[metric millrace_x]\ntype = counter\n",
         "1: warning: [metric millrace_x]: millrace_ is for the program's own figures; /metrics "
         "shows this one with user_ before it\n"},
        {"[metric wait_ms]\ntype = histogram\nfield = a\n[metric sent_kb_total]\n"
         "type = counter\n",
         "1: warning: [metric wait_ms]: _ms is no base unit; Prometheus' conventions want them: "
         "seconds here\n"
         "4: warning: [metric sent_kb_total]: /metrics adds _total to a counter by itself; this "
         "one is shown as it is\n"
         "4: warning: [metric sent_kb_total]: _kb is no base unit; Prometheus' conventions want "
         "them: bytes here\n"},
        {"[metric a]\ntype = counter\nby = le\n[metric b]\ntype = histogram\nfield = a\n"
         "by = le, a.b, a_b\n",
         "3: warning: [metric a] by: le is what Prometheus calls the bounds of a histogram\n"
         "7: warning: [metric b] by: le is what Prometheus calls the bounds of a histogram; "
         "/metrics shows this one as le_2\n"
         "7: warning: [metric b] by: a.b and a_b are one name to Prometheus; /metrics shows one "
         "of them with a number\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        int bytes = snprintf (text, sizeof text, "%s%s", cases[i][0], rest);
        mr_heard_t heard = {{0}};
        const char *path = mr_test_ini (text, (size_t)bytes);
        ck_assert_int_eq (mr_config_check (path, NULL, collect, &heard), 0);
        ck_assert_str_eq (heard.text, cases[i][1]);
    }
}
END_TEST

START_TEST (test_faults_that_others_find_stand_among_the_rest)
{
    static const char text[] = "[processor]\nkeep = a ==\ndrop = ok\nsort = 1\n[sink s]\n"
                               "type = file\npath = x\n";
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    const char *path = mr_test_ini (text, sizeof text - 1);
    ck_assert_int_eq (mr_config_open (path, NULL, &config, &err), MR_OK);
    const mr_config_section_t *processor = mr_config_section (config, "processor");
    const mr_config_entry_t *sort = mr_config_next (processor, "sort", NULL);
    ck_assert (sort->faulty && sort->value.text == NULL);
    ck_assert (!mr_config_sound (processor, "sort") && mr_config_sound (processor, "keep"));
    mr_config_reject_key (config, mr_config_next_section (config, "sink", NULL), "path", "no");
    mr_config_reject_key (config, processor, "parse", "what %s", "now");
    mr_config_reject_entry (config, mr_config_next (processor, "keep", NULL), "column 5");
    mr_heard_t heard = {{0}};
    ck_assert_int_eq (mr_config_report (config, collect, &heard), 4);
    ck_assert_str_eq (heard.text, "1: [processor] parse: what now\n2: [processor] keep: column 5\n"
                                  "4: [processor] sort: unknown key\n7: [sink s] path: no\n");
    ck_assert_int_eq (mr_config_verdict (config, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "what now (and 3 more: millrace check shows all)"));
    mr_config_destroy (&config);
}
END_TEST

START_TEST (test_check_of_what_cannot_be_read_is_one_fault)
{
    mr_heard_t heard = {{0}};
    ck_assert_int_eq (mr_config_check ("/nowhere/x.ini", NULL, collect, &heard), 1);
    ck_assert_str_eq (heard.text, " cannot be read: No such file or directory\n");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_check_reports_every_fault_in_the_order_of_the_file,
        test_check_of_a_right_file_without_input_and_sink_only_warns,
        test_check_shows_a_hundred_faults_and_counts_the_rest,
        test_one_fault_is_told_once,
        test_what_prometheus_would_name_otherwise_is_warned_of,
        test_faults_that_others_find_stand_among_the_rest,
        test_check_of_what_cannot_be_read_is_one_fault,
        NULL,
    };
    return mr_suite_run ("config_faults", tests);
}
