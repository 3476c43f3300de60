#include "launcher/feed_name.h"

#include "common/wire/producer.h"

#include <stdio.h>
#include <string.h>

static void
set_text (mr_feed_name_t *self)
{
    if (self->generation == 0) {
        snprintf (self->text, sizeof self->text, "%s", self->base);
    } else {
        snprintf (self->text, sizeof self->text, "%.50s.%u", self->base, self->generation);
    }
}

mr_status_t
mr_feed_name_take (mr_feed_name_t *self, mr_lines_t *lines, const char *producer, mr_error_t *err)
{
    char before[MR_LINES_NAME_BYTES];
    memcpy (before, self->base, sizeof before);
    self->fixed = producer != NULL;
    self->settled = false;
    if (self->fixed) {
        snprintf (self->base, sizeof self->base, "%s", producer);
    } else {
        mr_status_t status = mr_lines_name (lines, self->base);
        if (status != MR_OK) {
            return status;
        }
    }
    self->fresh = strcmp (before, self->base) == 0;
    self->generation = self->fresh && !self->fixed ? self->generation + 1 : 0;
    set_text (self);
    char id[MR_PRODUCER_ID_MAX_BYTES + 1];
    return mr_producer_id_format (self->text, 0, id, err);
}

void
mr_feed_name_set (mr_feed_name_t *self, const char *text, unsigned generation, unsigned renewed,
                  bool fresh)
{
    self->generation = generation;
    self->renewed = renewed;
    self->fresh = fresh;
    self->settled = true;
    if (text != NULL) {
        snprintf (self->text, sizeof self->text, "%s", text);
    } else {
        set_text (self);
    }
}

bool
mr_feed_name_ask_on (mr_feed_name_t *self, uint64_t *last)
{
    if (self->fresh || self->fixed || self->settled || (*last == 0 && self->generation == 0)) {
        return false;
    }
    bool known = *last > 0;
    if (known) {
        self->last_before = *last;
        self->generation++;
    } else {
        *last = self->last_before;
        self->generation--;
    }
    set_text (self);
    return known;
}

void
mr_feed_name_renew (mr_feed_name_t *self)
{
    self->renewed++;
    snprintf (self->text, sizeof self->text, "%.50s~%u", self->base, self->renewed);
}
