/* A line of any bytes, in each format, is refused within its length or becomes one valid object
 * whose fields are where they are said to be, inside the room that was promised to be enough. */
#include "common/record/accesslog.h"
#include "tests/fuzz/harness.h"

#include <stdlib.h>
#include <string.h>

static void
check_fields (const mr_json_record_t *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        mr_json_value_t value;
        size_t offset;
        const char *what;
        const mr_json_value_t *said = &record->fields[i].value;
        MR_FUZZ_CHECK (mr_json_check (said->text, said->bytes, &value, &offset, &what) ==
                       MR_JSON_OK);
        MR_FUZZ_CHECK (value.type == said->type && value.escaped == said->escaped);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static const mr_line_format_t formats[] = {MR_LINE_COMMON, MR_LINE_COMBINED, MR_LINE_RAW};
    char *room = malloc (MR_LINE_ROOM (bytes));
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        mr_json_field_t fields[MR_LINE_MAX_FIELDS];
        mr_json_record_t record = {.fields = fields};
        const char *line = bytes == 0 ? "" : (const char *)data;
        if (!mr_line_read (formats[i], line, bytes, room, &record)) {
            MR_FUZZ_CHECK (record.error_offset <= bytes && record.error_text != NULL);
            MR_FUZZ_CHECK (formats[i] != MR_LINE_RAW);
            continue;
        }
        mr_json_value_t value;
        size_t offset;
        const char *what;
        MR_FUZZ_CHECK (mr_json_check (record.text, record.bytes, &value, &offset, &what) ==
                       MR_JSON_OK);
        MR_FUZZ_CHECK (value.type == MR_JSON_OBJECT && value.bytes == record.bytes);
        check_fields (&record);
    }
    free (room);
    return 0;
}
