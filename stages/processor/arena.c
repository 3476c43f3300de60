#include "stages/processor/arena.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct mr_arena_block {
    mr_arena_block_t *next;
    size_t capacity;
    size_t used;
    char data[];
};

void
mr_arena_init (mr_arena_t *self)
{
    *self = (mr_arena_t){0};
}

void
mr_arena_release (mr_arena_t *self)
{
    while (self->first != NULL) {
        mr_arena_block_t *next = self->first->next;
        free (self->first);
        self->first = next;
    }
    self->current = NULL;
}

/* Put a new block behind the current one. */
static mr_arena_block_t *
add_block (mr_arena_t *self, size_t bytes)
{
    size_t capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    mr_arena_block_t *block = malloc (sizeof *block + capacity);
    if (block == NULL) {
        return NULL;
    }
    block->capacity = capacity;
    block->used = 0;
    if (self->current == NULL) {
        block->next = NULL;
        self->first = block;
    } else {
        block->next = self->current->next;
        self->current->next = block;
    }
    return block;
}

char *
mr_arena_take (mr_arena_t *self, size_t bytes)
{
    mr_arena_block_t *block = self->current;
    while (block != NULL && bytes > block->capacity - block->used) {
        block = block->next;
        if (block != NULL) {
            block->used = 0;
        }
    }
    if (block == NULL) {
        block = add_block (self, bytes);
        if (block == NULL) {
            return NULL;
        }
    }
    self->current = block;
    block->used += bytes;
    return block->data + block->used - bytes;
}

void
mr_arena_clear (mr_arena_t *self)
{
    self->current = self->first;
    if (self->first != NULL) {
        self->first->used = 0;
    }
}
