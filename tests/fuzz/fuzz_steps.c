/* Any steps (lines "key = value" up to an empty line) over any records (the lines after it): every
 * record is accounted for, and what comes out is valid JSON on one line, with watched fields where
 * they are said to be. */
#include "common/record/json.h"
#include "stages/processor/steps.h"
#include "tests/fuzz/harness.h"
#include "tests/support/records.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 8 };

static void
check_record (const mr_steps_output_t *output, uint32_t i)
{
    const char *text = output->records.data + output->records.offsets[i];
    uint32_t bytes = output->records.offsets[i + 1] - output->records.offsets[i] - 1;
    mr_json_value_t value;
    size_t offset;
    const char *what;
    mr_json_error_t error = mr_json_check (text, bytes, &value, &offset, &what);
    /* Steps may nest deeper than a record may come in. */
    MR_FUZZ_CHECK (error == MR_JSON_OK || error == MR_JSON_DEPTH);
    MR_FUZZ_CHECK (text[bytes] == '\n' && memchr (text, '\n', bytes) == NULL);
    const uint32_t *place = output->watched + (size_t)2 * i;
    if ((place[1] & 7) != MR_STEPS_ABSENT && error == MR_JSON_OK) {
        MR_FUZZ_CHECK (place[0] + (place[1] >> 3) < bytes);
        error = mr_json_check (text + place[0], place[1] >> 3, &value, &offset, &what);
        MR_FUZZ_CHECK (error == MR_JSON_OK && value.type == (place[1] & 7));
        MR_FUZZ_CHECK (value.bytes == place[1] >> 3);
    }
}

static void
run (mr_steps_t *steps, char *records)
{
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    for (char *line; (line = strsep (&records, "\n")) != NULL;) {
        mr_test_records_add (&batch, line, strlen (line));
    }
    mr_steps_input_t input = {.records = &batch.view};
    mr_steps_output_t output;
    if (mr_steps_run (steps, &input, &output) == MR_OK) {
        MR_FUZZ_CHECK (output.records.count + output.dead_count + output.filtered ==
                       batch.view.count);
        for (uint32_t i = 0; i < output.records.count; i++) {
            check_record (&output, i);
        }
    }
    mr_test_records_release (&batch);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    mr_steps_t *steps = NULL;
    mr_error_t err;
    if (bytes < 1 || mr_steps_new ((mr_parse_t)(data[0] & 3), &steps, &err) != MR_OK) {
        return 0;
    }
    char *text = strndup ((const char *)data + 1, bytes - 1);
    char *rest = text;
    unsigned added = 0;
    for (char *line; added < MAX_STEPS && (line = strsep (&rest, "\n")) != NULL && *line != '\0';) {
        char *value = strstr (line, " = ");
        if (value == NULL || strncmp (line, "debug_", 6) == 0) {
            continue;
        }
        *value = '\0';
        added += mr_steps_add (steps, line, value + 3, &err) == MR_OK;
    }
    if (mr_steps_watch (steps, "a.b", &err) == MR_OK && rest != NULL) {
        run (steps, rest);
    }
    free (text);
    mr_steps_destroy (&steps);
    return 0;
}
