#include "common/runtime/stage_private.h"

#include <stdio.h>
#include <string.h>

typedef struct chain_walk {
    mr_stage_t *stage;
    char previous[MR_WORKER_NAME_BYTES];
    bool found;
    bool late_ingest; /* it is not the first, which the rules of the configuration have told */
} chain_walk_t;

static void
walk_chain (const char *word, void *arg)
{
    chain_walk_t *walk = arg;
    mr_stage_t *self = walk->stage;
    if (self->first_stage[0] == '\0') {
        snprintf (self->first_stage, sizeof self->first_stage, "%s", word);
    }
    if (strcmp (walk->previous, self->ops->name) == 0) {
        snprintf (self->next_stage, sizeof self->next_stage, "%s", word);
    }
    walk->found = walk->found || strcmp (word, self->ops->name) == 0;
    walk->late_ingest =
        walk->late_ingest || (walk->previous[0] != '\0' && strcmp (word, "ingest") == 0);
    snprintf (walk->previous, sizeof walk->previous, "%s", word);
}

void
mr_stage_find_place (mr_stage_t *self, bool to_run)
{
    chain_walk_t walk = {.stage = self};
    const mr_config_section_t *pipeline = mr_config_section (self->config, "pipeline");
    const char *chain = mr_config_text (pipeline, "chain");
    mr_config_words (chain, walk_chain, &walk);
    self->is_source = strcmp (self->first_stage, self->ops->name) == 0;
    if (walk.late_ingest || !mr_config_sound (pipeline, "chain")) {
        return;
    }
    if (!walk.found && to_run) {
        mr_config_reject_key (self->config, pipeline, "chain",
                              "\"%s\" has no stage %s; add it where it belongs", chain,
                              self->ops->name);
    } else if (walk.found && self->is_source != (self->ops->handle == NULL)) {
        mr_config_reject_key (self->config, pipeline, "chain", "%s %s be the first stage",
                              self->ops->name, self->is_source ? "cannot" : "must");
    }
}
