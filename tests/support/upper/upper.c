#include "tests/support/upper/upper.h"

#include "common/base/clock.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct upper {
    char *text; /* of the batch under way */
    bool careless;
} upper_t;

static const mr_option_t options[] = {
    {.key = "workers",
     .type = MR_OPTION_INT,
     .min = 1,
     .max = 4,
     .fallback = "1",
     .help = "How many processes of this stage start"},
    {.key = "careless",
     .type = MR_OPTION_BOOL,
     .fallback = "no",
     .help = "Call the callbacks with what they cannot publish"},
    {.key = NULL},
};

static const mr_section_schema_t schema = {"upper", false, options, "Raises letters"};

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    upper_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "upper");
    }
    const mr_config_section_t *section = mr_config_section (mr_stage_config (stage), "upper");
    self->careless = mr_config_number (section, "careless") != 0;
    *ret_self = self;
    return MR_OK;
}

static void
destroy (void **self_p)
{
    upper_t *self = *self_p;
    free (self->text);
    free (self);
    *self_p = NULL;
}

static void
call_carelessly (const mr_stage_callbacks_t *callbacks, uint32_t count)
{
    mr_failure_t failure = {.error_type = MR_ERR_NONE, .count = count, .message = "\xff\n"};
    callbacks->on_error (callbacks->stage, "handle", &failure);
    callbacks->on_success (callbacks->stage, "", 1, count);
    callbacks->on_success (callbacks->stage, "handle", NAN, count);
}

static void
handle (void *arg, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks)
{
    upper_t *self = arg;
    int64_t began_ns = mr_clock_mono_ns ();
    char *text = realloc (self->text, batch->records_bytes + 1);
    if (text == NULL) {
        abort (); /* upstream still has the batch */
    }
    self->text = text;
    for (uint32_t i = 0; i < batch->records_bytes; i++) {
        text[i] = (char)toupper ((unsigned char)batch->records[i]);
    }
    batch->records = text;
    if (self->careless) {
        call_carelessly (callbacks, batch->count);
    }
    callbacks->on_handled (callbacks->stage, batch);
    callbacks->on_success (callbacks->stage, "handle",
                           (double)(mr_clock_mono_ns () - began_ns) / 1e6, batch->count);
}

const mr_stage_ops_t mr_upper_ops = {
    .name = "upper",
    .help = "Raises the letters of each record.",
    .schema = &schema,
    .create = create,
    .handle = handle,
    .destroy = destroy,
};
