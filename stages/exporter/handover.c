#include "stages/exporter/handover.h"

void
mr_handover_init (mr_handover_t *self)
{
    pthread_mutex_init (&self->lock, NULL);
    self->first = 0;
    self->count = 0;
    self->bytes = 0;
}

static void
remove_first (mr_handover_t *self)
{
    self->bytes -= self->ring[self->first].bytes;
    self->first = (self->first + 1) % MR_HANDOVER_FRAMES;
    self->count--;
}

void
mr_handover_release (mr_handover_t *self)
{
    while (self->count > 0) {
        mr_share_release (&self->ring[self->first].share);
        remove_first (self);
    }
    pthread_mutex_destroy (&self->lock);
}

static bool
join_last (mr_handover_t *self, const mr_handed_t *handed)
{
    if (self->count == 0 || handed->share != NULL) {
        return false;
    }
    mr_handed_t *last = &self->ring[(self->first + self->count - 1) % MR_HANDOVER_FRAMES];
    if (last->share != NULL || last->frame.next != handed->from) {
        return false;
    }
    last->frame.next = handed->frame.next;
    return true;
}

static bool
add (mr_handover_t *self, const mr_handed_t *handed)
{
    size_t bytes = handed->share != NULL ? handed->bytes : 0;
    if (self->count == MR_HANDOVER_FRAMES || self->bytes + bytes > MR_HANDOVER_BYTES) {
        return false;
    }
    mr_handed_t *place = &self->ring[(self->first + self->count) % MR_HANDOVER_FRAMES];
    *place = *handed;
    place->bytes = bytes;
    if (place->share != NULL) {
        (void)mr_share_hold (place->share);
    }
    self->bytes += bytes;
    self->count++;
    return true;
}

bool
mr_handover_give (mr_handover_t *self, const mr_handed_t *handed)
{
    pthread_mutex_lock (&self->lock);
    bool taken = join_last (self, handed) || add (self, handed);
    pthread_mutex_unlock (&self->lock);
    return taken;
}

bool
mr_handover_take (mr_handover_t *self, uint64_t position, uint64_t end, mr_handed_t *ret_handed)
{
    bool found = false;
    pthread_mutex_lock (&self->lock);
    while (self->count > 0 && !found) {
        mr_handed_t *handed = &self->ring[self->first];
        if (handed->from > position || handed->frame.next > end) {
            break;
        }
        found = handed->frame.next > position;
        if (found) {
            *ret_handed = *handed;
        } else {
            mr_share_release (&handed->share);
        }
        remove_first (self);
    }
    pthread_mutex_unlock (&self->lock);
    return found;
}
