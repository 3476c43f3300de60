/* hash: 64-bit hashes for tables and checksums (XXH3). Not for secrets. Thread safe. */
#ifndef MR_COMMON_BASE_HASH_H
#define MR_COMMON_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t mr_hash64 (const void *data, size_t bytes);

#endif
