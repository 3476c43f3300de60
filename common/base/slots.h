/* slots: the workers of one stage are numbered by slots, 0 .. MR_SLOTS_MAX - 1. */
#ifndef MR_COMMON_BASE_SLOTS_H
#define MR_COMMON_BASE_SLOTS_H

/* A word of the window has six bits for the exporter's slot; their highest value, MR_SLOTS_MAX
 * itself, is nobody's slot. */
enum { MR_SLOTS_MAX = 63 };

#endif
