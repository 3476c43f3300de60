/* simfs: a file system in memory behind mr_file_ops_t that behaves as badly as a real one may.
 *
 * One directory. What is not synced is lost, torn by sector or kept, write by write, at a power
 * loss; names come and go likewise. Calls fail on demand. A failed sync forgets what it should have
 * written, as Linux does. The seed decides everything. One thread. */
#ifndef MR_TESTS_SUPPORT_SIMFS_H
#define MR_TESTS_SUPPORT_SIMFS_H

#include "common/base/file_ops.h"

typedef struct mr_simfs mr_simfs_t;

mr_simfs_t *mr_simfs_new (uint64_t seed);
void mr_simfs_destroy (mr_simfs_t **self_p);
const mr_file_ops_t *mr_simfs_ops (mr_simfs_t *self);

/* The process is gone: files are closed, contents stay. Ends mr_simfs_die_at. */
void mr_simfs_kill (mr_simfs_t *self);
/* The machine is gone too, and comes up with another boot id. */
void mr_simfs_power_loss (mr_simfs_t *self);

/* From now on, the nth call (from 1) that may fail does so with this error, and `times - 1` more
 * after it. A failing write may put a part first. 0: none fails any more. */
void mr_simfs_fail_at (mr_simfs_t *self, uint64_t nth, int error, uint64_t times);
/* The nth call that changes something is done in part, and nothing works from then on. */
void mr_simfs_die_at (mr_simfs_t *self, uint64_t nth);
bool mr_simfs_is_dead (const mr_simfs_t *self);

/* Bytes that all files together may have; 0: no limit. */
void mr_simfs_set_space (mr_simfs_t *self, uint64_t bytes);

/* Calls so far of every kind, and bytes read. */
uint64_t mr_simfs_calls (const mr_simfs_t *self);
uint64_t mr_simfs_bytes_read (const mr_simfs_t *self);

/* A file's present bytes, to look at and to damage; NULL: no such file. */
char *mr_simfs_file (mr_simfs_t *self, const char *name, size_t *ret_bytes);
/* Make, replace or cut a file; it counts as synced. */
void mr_simfs_put (mr_simfs_t *self, const char *name, const void *data, size_t bytes);
/* Bytes [from, to) of a file cannot be read any more. */
void mr_simfs_spoil (mr_simfs_t *self, const char *name, uint64_t from, uint64_t to);
void mr_simfs_remove (mr_simfs_t *self, const char *name);
/* How many files have a name that ends so. */
unsigned mr_simfs_count (const mr_simfs_t *self, const char *suffix);
/* The name that sorts last among those that end so; "" if none. Valid until the file goes. */
const char *mr_simfs_last (const mr_simfs_t *self, const char *suffix);

/* The generator that it uses: below `limit` (1 ..). */
uint64_t mr_simfs_random (mr_simfs_t *self, uint64_t limit);

#endif
