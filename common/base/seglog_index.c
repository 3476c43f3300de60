/* The last data frames, in memory: found by word, and whole headers of the last K. */
#include "common/base/seglog_private.h"

#include <stdlib.h>

mr_status_t
mr_seglog_index_init (mr_seglog_index_t *self, unsigned frames, unsigned word, unsigned keep)
{
    *self = (mr_seglog_index_t){.capacity = frames, .word = word, .keep = keep};
    if (frames == 0) {
        return MR_OK;
    }
    self->words = malloc (frames * sizeof *self->words);
    self->positions = malloc (frames * sizeof *self->positions);
    return self->words != NULL && self->positions != NULL ? MR_OK : MR_SYSTEM;
}

void
mr_seglog_index_release (mr_seglog_index_t *self)
{
    free (self->words);
    free (self->positions);
    self->words = NULL;
    self->positions = NULL;
}

void
mr_seglog_index_clear (mr_seglog_index_t *self)
{
    self->pushed = 0;
    self->kept = 0;
    self->unsorted = false;
}

void
mr_seglog_index_push (mr_seglog_index_t *self, const mr_seglog_frame_head_t *head)
{
    if (head->type != MR_SEGLOG_DATA) {
        return;
    }
    if (self->keep > 0) {
        self->last[self->kept++ % self->keep] = *head;
    }
    if (self->capacity == 0) {
        return;
    }
    uint64_t word = head->words[self->word];
    if (self->pushed > 0 && word <= self->words[(self->pushed - 1) % self->capacity]) {
        self->unsorted = true;
    }
    self->words[self->pushed % self->capacity] = word;
    self->positions[self->pushed % self->capacity] = head->position;
    self->pushed++;
}

bool
mr_seglog_index_full (const mr_seglog_index_t *self)
{
    return self->kept >= self->keep && self->pushed >= self->capacity;
}

uint64_t
mr_seglog_index_oldest_kept (const mr_seglog_index_t *self)
{
    if (self->keep == 0) {
        return UINT64_MAX;
    }
    return self->kept < self->keep ? 0 : self->last[self->kept % self->keep].position;
}

/* The first of [low, high) whose word is at least `word`; the words ascend. */
static uint64_t
lower_bound (const mr_seglog_index_t *index, uint64_t low, uint64_t high, uint64_t word)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (index->words[middle % index->capacity] < word) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool
mr_seglog_find (const mr_seglog_t *self, uint64_t word, uint64_t *ret_position)
{
    const mr_seglog_index_t *index = &self->index;
    uint64_t high = index->pushed;
    uint64_t low = high > index->capacity ? high - index->capacity : 0;
    if (!index->unsorted) {
        low = lower_bound (index, low, high, word);
    }
    for (uint64_t i = low; i < high; i++) {
        if (index->words[i % index->capacity] == word) {
            *ret_position = index->positions[i % index->capacity];
            return true;
        }
        if (!index->unsorted) {
            return false;
        }
    }
    return false;
}

unsigned
mr_seglog_last (mr_seglog_t *self, mr_seglog_frame_t *frames, unsigned max)
{
    const mr_seglog_index_t *index = &self->index;
    uint64_t have = index->kept < index->keep ? index->kept : index->keep;
    unsigned count = 0;
    for (uint64_t i = 0; i < have && count < max; i++) {
        uint64_t position = index->last[(index->kept - 1 - i) % index->keep].position;
        mr_seglog_frame_t frame;
        if (mr_seglog_read (self, position, &frame, NULL) == MR_OK) {
            frame.payload = NULL;
            frame.fd = -1;
            frames[count++] = frame;
        }
    }
    return count;
}
