#include "common/base/hash.h"

#include <xxhash.h>
/* Debian's library is built for the oldest machines of its kind; this chooses at run time (5 to 25
 * GB/s where it was measured). MR_HASH_PLAIN: where instructions are counted, the same everywhere.
 */
#if defined(__x86_64__) && !defined(MR_HASH_PLAIN)
#include <xxh_x86dispatch.h>
#endif

uint64_t
mr_hash64 (const void *data, size_t bytes)
{
    return XXH3_64bits (data, bytes);
}

uint64_t
mr_hash64_seeded (const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed (data, bytes, seed);
}

mr_hash_state_t *
mr_hash_state_new (void)
{
    return (mr_hash_state_t *)XXH3_createState ();
}

void
mr_hash_state_destroy (mr_hash_state_t **state_p)
{
    XXH3_freeState ((XXH3_state_t *)*state_p);
    *state_p = NULL;
}

uint64_t
mr_hash64_pieces (mr_hash_state_t *state, const struct iovec *pieces, int count, uint64_t seed)
{
    XXH3_state_t *xxh = (XXH3_state_t *)state;
    XXH3_64bits_reset_withSeed (xxh, seed);
    for (int i = 0; i < count; i++) {
        XXH3_64bits_update (xxh, pieces[i].iov_base, pieces[i].iov_len);
    }
    return XXH3_64bits_digest (xxh);
}
