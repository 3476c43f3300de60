/* What `millrace audit` says while everything moves. */
#include "launcher/audit.h"

#include "tests/support/chain_kit.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOKS = 50, BATCHES = 20000 };

static mr_error_t err;
static mr_chain_t chain = {
    .journal_segment = 1 << 20,
    .spool_segment = 64 << 10,
    .records = 1,
};

/* Batch after batch is taken in and spooled. Ends when it is killed. */
static void
flow (void)
{
    for (uint64_t seq = 1; seq <= BATCHES; seq++) {
        mr_chain_take_in (&chain, seq);
        mr_chain_finish (&chain, seq, 0);
    }
    for (;;) {
        pause ();
    }
}

static json_int_t
value_of (const json_t *audit, const char *key)
{
    return json_integer_value (json_object_get (audit, key));
}

START_TEST (test_what_is_called_exported_and_no_sink_has_is_called_pending)
{
    mr_chain_open (&chain);
    mr_chain_commit (&chain, 0, "out", (mr_cursor_state_t){.input = MR_CURSOR_RECORDS});
    pid_t child = fork ();
    if (child == 0) {
        flow ();
    }
    json_int_t most = 0;
    for (int looks = 0; looks < LOOKS || most == 0;) {
        json_t *audit = NULL;
        mr_status_t status = mr_audit_read (chain.data_dir, NULL, &audit, &err);
        ck_assert_msg (status == MR_OK || status == MR_AGAIN, "%s", err.text);
        if (status == MR_OK) {
            most = value_of (audit, "exported");
            ck_assert_int_ge (value_of (audit, "pending"), most);
            json_decref (audit);
            looks++;
        }
        ck_assert_int_eq (waitpid (child, NULL, WNOHANG), 0);
    }
    ck_assert_int_eq (kill (child, SIGKILL), 0);
    ck_assert_int_eq (waitpid (child, NULL, 0), child);
    mr_chain_close (&chain);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_what_is_called_exported_and_no_sink_has_is_called_pending,
        NULL,
    };
    return mr_suite_run ("audit", tests);
}
