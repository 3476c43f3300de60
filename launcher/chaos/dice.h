/* dice: what a seed decides. The same seed gives the same throws on every machine; harmless to
 * guess, so never for secrets. Embedded; not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_DICE_H
#define MR_LAUNCHER_CHAOS_DICE_H

#include <stddef.h>
#include <stdint.h>

typedef struct mr_dice {
    uint64_t state; /* the seed, at first */
} mr_dice_t;

/* 0 .. below - 1; below: 1 .. */
uint64_t mr_dice_below (mr_dice_t *self, uint64_t below);

/* low .. high, both included */
int64_t mr_dice_between (mr_dice_t *self, int64_t low, int64_t high);

/* An index of weights, as often as its weight says; their sum is above 0. */
size_t mr_dice_choose (mr_dice_t *self, const unsigned *weights, size_t count);

#endif
