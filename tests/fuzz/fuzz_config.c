/* A configuration of any bytes is refused with one line that names the file, or gives every value
 * of the schema, twice the same. */
#include "common/runtime/config.h"
#include "tests/fuzz/harness.h"

#include <string.h>

static void
check_value (const mr_config_section_t *section, const mr_option_t *row)
{
    const mr_config_entry_t *entry = mr_config_next (section, row->key, NULL);
    const char *text = mr_config_text (section, row->key);
    int64_t number = mr_config_number (section, row->key);
    bool ranged = row->type == MR_OPTION_INT || row->type == MR_OPTION_SIZE;
    MR_FUZZ_CHECK (entry == NULL || (entry->line > 0 && entry->option == row));
    MR_FUZZ_CHECK (entry == NULL || strcmp (entry->value.text, text) == 0);
    MR_FUZZ_CHECK (text != NULL || row->fallback == NULL);
    MR_FUZZ_CHECK (!ranged || (number >= row->min && number <= row->max));
}

static void
walk (const mr_config_t *config)
{
    for (const mr_section_schema_t *schema = mr_schema (); schema->name != NULL; schema++) {
        const mr_config_section_t *section =
            schema->named ? mr_config_next_section (config, schema->name, NULL)
                          : mr_config_section (config, schema->name);
        MR_FUZZ_CHECK (schema->named || section != NULL);
        for (const mr_option_t *row = schema->options; section != NULL && row->key != NULL; row++) {
            check_value (section, row);
        }
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    if (mr_config_load_text ((const char *)data, bytes, "/x.ini", &config, &err) != MR_OK) {
        MR_FUZZ_CHECK (config == NULL && strncmp (err.text, "/x.ini:", 7) == 0);
        return 0;
    }
    walk (config);
    mr_config_t *second = NULL;
    MR_FUZZ_CHECK (mr_config_load_text ((const char *)data, bytes, "/x.ini", &second, &err) ==
                   MR_OK);
    MR_FUZZ_CHECK (mr_config_hash (config) == mr_config_hash (second));
    mr_config_destroy (&second);
    mr_config_destroy (&config);
    return 0;
}
