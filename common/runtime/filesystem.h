/* filesystem: whether a directory is on this machine. Locks, shared mappings and inotify, on which
 * the pipeline rests, do not hold across machines. Pure but for mr_filesystem_network; thread safe.
 */
#ifndef MR_COMMON_RUNTIME_FILESYSTEM_H
#define MR_COMMON_RUNTIME_FILESYSTEM_H

#include <stddef.h>

/* What kind of network file system statfs's f_type means: "NFS", "SMB", ...; NULL: a local one.
 * "FUSE" is either; see mr_filesystem_network. */
const char *mr_filesystem_kind (long type);

/* The file system type that /proc/self/mountinfo gives for a device, "ext4", "fuse.sshfs".
 *   text      the whole of mountinfo, terminated
 *   ret_type  `bytes` long; "" when the device is not in it */
void mr_filesystem_mount_type (const char *text, unsigned major, unsigned minor, char *ret_type,
                               size_t bytes);

/* The kind of network file system that a path is on, NULL when it is local or cannot be told. The
 * path need not exist: its nearest existing parent counts. */
const char *mr_filesystem_network (const char *path);

#endif
