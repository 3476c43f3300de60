#include "common/base/bootid.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
mr_boot_id (char ret_id[MR_BOOT_ID_BYTES])
{
    memset (ret_id, 0, MR_BOOT_ID_BYTES);
    int fd = open ("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read (fd, ret_id, MR_BOOT_ID_BYTES - 1);
        close (fd);
    }
}
