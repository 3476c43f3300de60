/* record: what `millrace chaos` sends. Record n of producer p is one line that can be made again
 * from p, n and the moment it was made, so that what comes out is compared byte by byte. Every
 * MR_CHAOS_BROKEN-th record is no JSON and belongs to the dead letters. Pure; thread safe. */
#ifndef MR_LAUNCHER_CHAOS_RECORD_H
#define MR_LAUNCHER_CHAOS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_CHAOS_RECORD_BYTES = 192, MR_CHAOS_BROKEN = 997 };

typedef struct mr_chaos_record {
    uint64_t producer;
    uint64_t number;  /* 1 .. */
    uint64_t made_ns; /* CLOCK_MONOTONIC */
} mr_chaos_record_t;

/* Write the line, without a newline. ret_text: MR_CHAOS_RECORD_BYTES. Returns its bytes. */
size_t mr_chaos_record_make (const mr_chaos_record_t *record, char *ret_text);

/* Read a line back. False: it is not, byte by byte, a record that was made here. */
bool mr_chaos_record_read (const char *line, size_t bytes, mr_chaos_record_t *ret_record);

/* The moment alone, without looking at the rest; 0: there is none. */
uint64_t mr_chaos_record_made_ns (const char *line, size_t bytes);

bool mr_chaos_record_broken (uint64_t number);

#endif
