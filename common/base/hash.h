/* hash: 64-bit hashes for tables and checksums (XXH3, by the widest vectors that the machine has).
 * Not for secrets. Thread safe, a state apart: it belongs to one thread at a time. */
#ifndef MR_COMMON_BASE_HASH_H
#define MR_COMMON_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

uint64_t mr_hash64 (const void *data, size_t bytes);
uint64_t mr_hash64_seeded (const void *data, size_t bytes, uint64_t seed);

/* The same, of data in pieces. */
typedef struct mr_hash_state mr_hash_state_t;
mr_hash_state_t *mr_hash_state_new (void); /* NULL: no memory */
void mr_hash_state_destroy (mr_hash_state_t **state_p);
uint64_t mr_hash64_pieces (mr_hash_state_t *state, const struct iovec *pieces, int count,
                           uint64_t seed);

#endif
