#include "launcher/chaos/dice.h"

#include "common/base/status.h"

/* splitmix64: a counter, and a mix of its bits. */
static uint64_t
next (mr_dice_t *self)
{
    self->state += UINT64_C (0x9e3779b97f4a7c15);
    uint64_t mixed = self->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C (0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

uint64_t
mr_dice_below (mr_dice_t *self, uint64_t below)
{
    MR_ASSERT (below > 0);
    return next (self) % below;
}

int64_t
mr_dice_between (mr_dice_t *self, int64_t low, int64_t high)
{
    return low + (int64_t)mr_dice_below (self, (uint64_t)(high - low) + 1);
}

size_t
mr_dice_choose (mr_dice_t *self, const unsigned *weights, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
    }
    uint64_t left = mr_dice_below (self, sum);
    size_t chosen = 0;
    while (left >= weights[chosen]) {
        left -= weights[chosen++];
    }
    return chosen;
}
