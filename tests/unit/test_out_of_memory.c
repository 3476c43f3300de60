/* Without memory: whatever allocation is the one that fails, what was begun ends with one line that
 * says so, and gives back what it took (the sanitizers of the dev build see to that). The linker
 * puts the functions below in the place of malloc and its like. */
#include "common/delivery/deep.h"
#include "common/record/expr.h"
#include "common/record/path.h"
#include "common/record/rows.h"
#include "common/runtime/config.h"
#include "stages/processor/steps.h"
#include "tests/support/chain_kit.h"
#include "tests/support/delivery_kit.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the allocation that fails ---- */

static unsigned countdown; /* 0: none fails */
static bool failed;

static bool
is_refused (void)
{
    if (countdown == 0 || --countdown > 0) {
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names
void *__real_malloc (size_t bytes);
void *__real_calloc (size_t count, size_t bytes);
void *__real_realloc (void *old, size_t bytes);
char *__real_strdup (const char *text);
char *__real_strndup (const char *text, size_t bytes);
void *__wrap_malloc (size_t bytes);
void *__wrap_calloc (size_t count, size_t bytes);
void *__wrap_realloc (void *old, size_t bytes);
char *__wrap_strdup (const char *text);
char *__wrap_strndup (const char *text, size_t bytes);

void *
__wrap_malloc (size_t bytes)
{
    return is_refused () ? NULL : __real_malloc (bytes);
}

void *
__wrap_calloc (size_t count, size_t bytes)
{
    return is_refused () ? NULL : __real_calloc (count, bytes);
}

void *
__wrap_realloc (void *old, size_t bytes)
{
    return is_refused () ? NULL : __real_realloc (old, bytes);
}

char *
__wrap_strdup (const char *text)
{
    return is_refused () ? NULL : __real_strdup (text);
}

char *
__wrap_strndup (const char *text, size_t bytes)
{
    return is_refused () ? NULL : __real_strndup (text, bytes);
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)

/* Let `act` run, first with its first allocation refused, then with its second, …, until none is
 * left to refuse. */
static void
refuse_each (mr_status_t (*act) (mr_error_t *err), unsigned least)
{
    unsigned refused = 0;
    for (;; refused++) {
        mr_error_t err = {.text = ""};
        failed = false;
        countdown = refused + 1;
        mr_status_t status = act (&err);
        countdown = 0;
        if (!failed) {
            ck_assert_msg (status == MR_OK, "%s", err.text);
            break;
        }
        if (status != MR_OK) {
            ck_assert_msg (strstr (err.text, "memory") != NULL, "allocation %u: %s: \"%s\"",
                           refused + 1, mr_status_name (status), err.text);
            ck_assert_ptr_null (strchr (err.text, '\n'));
        }
    }
    ck_assert_uint_ge (refused, least);
}

/* ---- tests ---- */

static mr_status_t
load_config (mr_error_t *err)
{
    static const char text[] = "[pipeline]\nname = ${HOME}\n"
                               "[ingest]\npull = ipc://run/in\nrouter = ipc://run/a, ipc://run/b\n"
                               "[processor]\nkeep = a == 1\n  or b == 2\nset = env = \"x\"\n"
                               "[metric m]\ntype = histogram\nfield = a.b\nby = c, d\n"
                               "[sink out]\ntype = file\npath = x.jsonl\nmatch = a in (1, 2)\n";
    mr_config_t *config = NULL;
    mr_status_t status = mr_config_load_text (text, sizeof text - 1, "/etc/x.ini", &config, err);
    if (status == MR_OK) {
        mr_config_destroy (&config);
    }
    return status;
}

START_TEST (test_a_configuration_without_memory_is_refused_in_one_line)
{
    refuse_each (load_config, 20);
}
END_TEST

static mr_status_t
make_expression (mr_error_t *err)
{
    mr_expr_t *expr = NULL;
    mr_status_t status =
        mr_expr_new ("not (a.b[1] == \"x\" or `c d` in (1, \"y\", null))", &expr, err);
    if (status == MR_OK) {
        mr_expr_destroy (&expr);
    }
    return status;
}

static mr_status_t
make_path (mr_error_t *err)
{
    mr_path_t *path = NULL;
    mr_status_t status = mr_path_new ("a.`b c`[3]", 10, &path, err);
    if (status == MR_OK) {
        mr_path_destroy (&path);
    }
    return status;
}

START_TEST (test_expressions_and_paths_without_memory_are_refused_in_one_line)
{
    refuse_each (make_expression, 3);
    refuse_each (make_path, 1);
}
END_TEST

static mr_status_t
make_steps (mr_error_t *err)
{
    static const char *const rows[][2] = {
        {"keep", "a == 1"},
        {"set", "b.c = {\"x\": [1, 2]}"},
        {"rename", "d -> e.f"},
        {"remove", "g, h.i"},
    };
    mr_steps_t *steps = NULL;
    mr_status_t status = mr_steps_new (MR_PARSE_JSON, &steps, err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == MR_OK; i++) {
        status = mr_steps_add (steps, rows[i][0], rows[i][1], err);
    }
    mr_steps_destroy (&steps);
    return status;
}

static mr_status_t
make_rows (mr_error_t *err)
{
    mr_rows_t rows;
    mr_status_t status = mr_rows_init (&rows, MR_ROWS_RECORDS, "a == 1", false, err);
    if (status == MR_OK) {
        status = mr_rows_except (&rows, "b == 2", err);
        mr_rows_release (&rows);
    }
    return status;
}

START_TEST (test_steps_and_sinks_without_memory_are_refused_in_one_line)
{
    refuse_each (make_steps, 5);
    refuse_each (make_rows, 3);
}
END_TEST

static mr_chain_t chain = {
    .journal_segment = 8192, .spool_segment = 8192, .records = 3, .filtered = 1};

static void
on_fault (void *arg, const mr_deep_fault_t *fault)
{
    (void)arg;
    ck_abort_msg ("%s", fault->what); /* no memory is no fault of the files */
}

static void
on_journal (void *arg, const mr_deep_journal_t *journal)
{
    (void)arg;
    (void)journal;
}

static void
on_spool (void *arg, const mr_deep_spool_t *spool)
{
    (void)arg;
    (void)spool;
}

static mr_status_t
audit_deep (mr_error_t *err)
{
    const mr_deep_visitor_t visitor = {on_fault, on_journal, on_spool, NULL};
    return mr_deep_read (chain.data_dir, &visitor, err);
}

static mr_status_t
audit (mr_error_t *err)
{
    mr_tally_t tally;
    return mr_tally_read (chain.data_dir, 0, &tally, err);
}

static mr_status_t
open_journal (mr_error_t *err)
{
    mr_journal_options_t options = {
        .data_dir = chain.data_dir, .segment_bytes = 8192, .state = mr_kit_no_state};
    mr_journal_t *journal = NULL;
    mr_status_t status = mr_journal_open (&options, &journal, err);
    mr_journal_close (&journal);
    return status;
}

static mr_status_t
open_spool (mr_error_t *err)
{
    mr_spool_options_t options = {.data_dir = chain.data_dir, .segment_bytes = 8192};
    mr_spool_t *spool = NULL;
    mr_status_t status = mr_spool_open (&options, &spool, err);
    mr_spool_close (&spool);
    return status;
}

START_TEST (test_journal_spool_and_audit_without_memory_say_so_in_one_line)
{
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= 60; seq++) {
        mr_chain_take_in (&chain, seq);
        mr_chain_finish (&chain, seq, (int)(seq % 2));
    }
    mr_chain_close (&chain);
    refuse_each (audit, 3);
    refuse_each (audit_deep, 3);
    refuse_each (open_journal, 3);
    refuse_each (open_spool, 3);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_configuration_without_memory_is_refused_in_one_line,
        test_expressions_and_paths_without_memory_are_refused_in_one_line,
        test_steps_and_sinks_without_memory_are_refused_in_one_line,
        test_journal_spool_and_audit_without_memory_say_so_in_one_line,
        NULL,
    };
    return mr_suite_run ("out_of_memory", tests);
}
