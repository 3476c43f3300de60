#include "launcher/filetail.h"

#include "common/base/hash.h"

#include <unistd.h>

bool
mr_filetail_hash (int fd, uint64_t offset, uint64_t *ret_hash)
{
    char tail[MR_FILETAIL_BYTES];
    size_t wanted = offset < sizeof tail ? (size_t)offset : sizeof tail;
    size_t have = 0;
    while (have < wanted) {
        ssize_t bytes = pread (fd, tail + have, wanted - have, (off_t)(offset - wanted + have));
        if (bytes <= 0) {
            return false;
        }
        have += (size_t)bytes;
    }
    *ret_hash = mr_hash64 (tail, wanted);
    return true;
}
