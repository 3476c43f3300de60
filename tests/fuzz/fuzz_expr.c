/* An expression of any bytes (up to the first newline) compiles or is refused with a column; what
 * compiles is evaluated over the record that follows it. */
#include "common/record/expr.h"
#include "tests/fuzz/harness.h"
#include "tests/support/records.h"

#include <stdlib.h>
#include <string.h>

static void
evaluate (const mr_expr_t *expr, const char *record, size_t bytes)
{
    static mr_json_t *json;
    if (json == NULL && mr_json_new (&json) != MR_OK) {
        return;
    }
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, record, bytes);
    mr_json_open (json, &batch.view);
    mr_json_record_t read;
    if (mr_json_next (json, 0, &read) == MR_OK && read.error == MR_JSON_OK) {
        (void)mr_expr_eval (expr, read.fields, read.field_count);
    }
    mr_test_records_release (&batch);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    const char *newline = bytes == 0 ? NULL : memchr (data, '\n', bytes);
    size_t length = newline == NULL ? bytes : (size_t)(newline - (const char *)data);
    char *text = length == 0 ? strdup ("") : strndup ((const char *)data, length);
    mr_expr_t *expr = NULL;
    mr_error_t err = {0};
    mr_status_t status = mr_expr_new (text, &expr, &err);
    if (status == MR_OK) {
        mr_expr_t *again = NULL;
        MR_FUZZ_CHECK (mr_expr_new (mr_expr_text (expr), &again, &err) == MR_OK);
        mr_expr_destroy (&again);
        (void)mr_expr_eval (expr, NULL, 0);
        if (newline != NULL) {
            evaluate (expr, newline + 1, bytes - length - 1);
        }
        mr_expr_destroy (&expr);
    } else {
        MR_FUZZ_CHECK (status == MR_CONFIG && expr == NULL && err.text[0] != '\0');
    }
    free (text);
    return 0;
}
