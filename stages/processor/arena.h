/* arena: memory for the texts that one record's steps make. Taken piece by piece, given back all at
 * once, kept for the next record. Embedded (init/release). Not thread safe. */
#ifndef MR_STAGES_PROCESSOR_ARENA_H
#define MR_STAGES_PROCESSOR_ARENA_H

#include <stddef.h>

typedef struct mr_arena_block mr_arena_block_t;

typedef struct mr_arena {
    mr_arena_block_t *first;
    mr_arena_block_t *current;
} mr_arena_t;

void mr_arena_init (mr_arena_t *self);
void mr_arena_release (mr_arena_t *self);

/* Unaligned bytes that stay where they are until the next clear; NULL: out of memory. */
char *mr_arena_take (mr_arena_t *self, size_t bytes);

void mr_arena_clear (mr_arena_t *self);

#endif
