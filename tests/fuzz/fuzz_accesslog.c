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

static void
check_line (mr_line_format_t format, const char *line, size_t bytes, char *room)
{
    mr_json_field_t fields[MR_LINE_MAX_FIELDS];
    mr_json_record_t record = {.fields = fields};
    if (!mr_line_read (format, line, bytes, room, &record)) {
        MR_FUZZ_CHECK (record.error_offset <= bytes && record.error_text != NULL);
        MR_FUZZ_CHECK (format != MR_LINE_RAW);
        return;
    }
    mr_json_value_t value;
    size_t offset;
    const char *what;
    mr_json_error_t error = mr_json_check (record.text, record.bytes, &value, &offset, &what);
    MR_FUZZ_CHECK (error == MR_JSON_OK);
    MR_FUZZ_CHECK (value.type == MR_JSON_OBJECT && value.bytes == record.bytes);
    check_fields (&record);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static const mr_line_format_t formats[] = {MR_LINE_COMMON, MR_LINE_COMBINED, MR_LINE_RAW};
    char *room = malloc (MR_LINE_ROOM (bytes));
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        check_line (formats[i], bytes == 0 ? "" : (const char *)data, bytes, room);
    }
    free (room);
    return 0;
}
