/* filetail: a fingerprint of a file's bytes up to an offset, made of the last few KiB before it;
 * what tells a file that has grown from one that was written anew in place. Thread safe. */
#ifndef MR_LAUNCHER_FILETAIL_H
#define MR_LAUNCHER_FILETAIL_H

#include <stdbool.h>
#include <stdint.h>

enum { MR_FILETAIL_BYTES = 4096 };

/* The hash of the up to MR_FILETAIL_BYTES bytes before offset. False: the file is shorter, or
 * cannot be read. */
bool mr_filetail_hash (int fd, uint64_t offset, uint64_t *ret_hash);

#endif
