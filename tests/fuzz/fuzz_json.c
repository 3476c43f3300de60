/* Records of any bytes, cut apart at 0xff 0xfe, are read fast, in one batch, as the precise reader
 * reads each alone; and every span of a valid one is a valid value again. */
#include "common/record/json.h"
#include "common/record/walk.h"
#include "tests/fuzz/harness.h"
#include "tests/support/records.h"

#include <string.h>

static void
check_value (const mr_json_value_t *value)
{
    mr_json_value_t again;
    size_t offset;
    const char *what;
    MR_FUZZ_CHECK (mr_json_check (value->text, value->bytes, &again, &offset, &what) == MR_JSON_OK);
    MR_FUZZ_CHECK (again.text == value->text && again.bytes == value->bytes);
    MR_FUZZ_CHECK (again.type == value->type && again.escaped == value->escaped);
}

static void
check_members (const mr_json_value_t *container)
{
    mr_walk_t walk;
    mr_json_field_t member;
    mr_walk_open (&walk, container);
    while (mr_walk_next (&walk, &member)) {
        check_value (&member.value);
        MR_FUZZ_CHECK (member.value.text > container->text);
        MR_FUZZ_CHECK (member.value.text + member.value.bytes < container->text + container->bytes);
    }
}

static void
check_record (const mr_json_record_t *record)
{
    mr_json_value_t value = {.type = MR_JSON_NULL};
    size_t offset = 0;
    const char *what;
    mr_json_error_t error = mr_json_check (record->text, record->bytes, &value, &offset, &what);
    if (error == MR_JSON_OK && value.type != MR_JSON_OBJECT) {
        error = MR_JSON_NOT_OBJECT;
    }
    MR_FUZZ_CHECK (error == record->error);
    if (error != MR_JSON_OK) {
        MR_FUZZ_CHECK (record->error_offset <= record->bytes && record->error_text != NULL);
        return;
    }
    MR_FUZZ_CHECK (record->text + record->start == value.text);
    MR_FUZZ_CHECK (record->end - record->start == value.bytes);
    mr_walk_t walk;
    mr_walk_open (&walk, &value);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const mr_json_field_t *field = &record->fields[i];
        mr_json_field_t member;
        MR_FUZZ_CHECK (mr_walk_next (&walk, &member));
        MR_FUZZ_CHECK (member.key == field->key && member.key_bytes == field->key_bytes);
        MR_FUZZ_CHECK (member.key_escaped == field->key_escaped);
        MR_FUZZ_CHECK (member.value.text == field->value.text);
        check_value (&field->value);
        if (field->value.type >= MR_JSON_ARRAY) {
            check_members (&field->value);
        }
    }
    mr_json_field_t member;
    MR_FUZZ_CHECK (!mr_walk_next (&walk, &member));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static mr_json_t *json;
    if (json == NULL && mr_json_new (&json) != MR_OK) {
        return 0;
    }
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    const char *text = (const char *)data;
    for (size_t left = bytes;;) {
        const char *cut = left == 0 ? NULL : memmem (text, left, "\xff\xfe", 2);
        size_t length = cut == NULL ? left : (size_t)(cut - text);
        mr_test_records_add (&batch, length == 0 ? "" : text, length);
        if (cut == NULL) {
            break;
        }
        text = cut + 2;
        left -= length + 2;
    }
    mr_json_open (json, &batch.view);
    mr_json_record_t record;
    uint32_t count = 0;
    while (mr_json_next (json, 0, &record) == MR_OK) {
        check_record (&record);
        count++;
    }
    MR_FUZZ_CHECK (count == batch.view.count);
    mr_test_records_release (&batch);
    return 0;
}
