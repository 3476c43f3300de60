/* humane: numbers as people read them. Pure; thread safe. */
#ifndef MR_LAUNCHER_HUMANE_H
#define MR_LAUNCHER_HUMANE_H

#include <stddef.h>

/* 0, 7, 999, 12,345, 1,234,567: rounded to a whole number, thousands apart. */
void mr_humane_count (double value, char *ret_text, size_t capacity);

/* 3s, 4m10s, 2h05m, 3d04h. */
void mr_humane_duration (double seconds, char *ret_text, size_t capacity);

#endif
