/* clock: time as int64_t nanoseconds. Modules take "now" as an argument where they can, so that
 * tests own the clock; only the edges call these. Thread safe. */
#ifndef MR_COMMON_BASE_CLOCK_H
#define MR_COMMON_BASE_CLOCK_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { MR_RFC3339_BYTES = 28 }; /* "2026-11-23T08:41:37.123456Z" and the terminator */

#define MR_NS_PER_MS INT64_C (1000000)
#define MR_NS_PER_S INT64_C (1000000000)

/* CLOCK_MONOTONIC, nanoseconds: for durations and deadlines. */
int64_t mr_clock_mono_ns (void);

/* CLOCK_REALTIME, nanoseconds since 1970-01-01 UTC: for what people and files see. */
int64_t mr_clock_wall_ns (void);

/* RFC 3339, UTC, microseconds, always MR_RFC3339_BYTES - 1 characters for years 0 to 9999.
 *   wall_ns  nanoseconds since 1970
 *   ret_text at least MR_RFC3339_BYTES bytes */
void mr_clock_format (int64_t wall_ns, char *ret_text);

/* Read an RFC 3339 time: "2026-11-23T08:41:37.123456Z", any number of fraction digits (those after
 * the ninth are dropped) or none, any offset ("+02:00"), a leap second as the second after it.
 *   text  borrowed, need not be terminated
 * MR_INVALID: another form, no such day, or outside the years 1678 to 2261 (UTC). */
MR_CHECK mr_status_t mr_clock_parse (const char *text, size_t bytes, int64_t *ret_wall_ns);

#endif
