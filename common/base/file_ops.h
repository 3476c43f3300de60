/* file_ops: the file system calls that durable files are made of, as a table, so that tests run the
 * same code on a simulated file system which tears, reorders and drops unsynced writes and fails on
 * demand.
 *
 * Each member acts as the system call it is named after: -1 and errno on failure. Names are plain
 * names inside the directory `dir`. A call cut short by a signal is repeated inside. Thread safe as
 * far as the system calls are. */
#ifndef MR_COMMON_BASE_FILE_OPS_H
#define MR_COMMON_BASE_FILE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef void mr_file_each_fn (void *arg, const char *name);

typedef struct mr_file_ops {
    void *context; /* handed to each member; NULL for the real file system */

    /* A directory by path; `make` makes it (0750) when it is missing. Its parent must exist. */
    int (*open_dir) (void *context, const char *path, bool make);
    int (*open) (void *context, int dir, const char *name,
                 int flags); /* mode 0640, close-on-exec */
    int (*close) (void *context, int fd);
    int64_t (*size) (void *context, int fd);
    ssize_t (*read) (void *context, int fd, void *data, size_t bytes, uint64_t offset);
    ssize_t (*write) (void *context, int fd, const struct iovec *iov, int count, uint64_t offset);
    int (*truncate) (void *context, int fd, uint64_t bytes);
    /* Make sure that this range has blocks; the size grows to its end, what was there stays. */
    int (*allocate) (void *context, int fd, uint64_t offset, uint64_t bytes);
    int (*sync_data) (void *context, int fd);
    int (*sync_dir) (void *context, int dir);
    int (*rename) (void *context, int dir, const char *from, const char *to);
    int (*unlink) (void *context, int dir, const char *name);
    int (*list) (void *context, int dir, mr_file_each_fn *each, void *arg);
    void *(*map) (void *context, int fd, size_t bytes, bool writable); /* shared; NULL on failure */
    void (*unmap) (void *context, void *data, size_t bytes);
    int (*boot_id) (void *context,
                    uint64_t ret_id[2]); /* differs after each start of the machine */
} mr_file_ops_t;

/* The real file system. Static. */
const mr_file_ops_t *mr_file_ops_system (void);

/* Whether an errno says that the disk cannot take data now but may later: full, over quota, I/O
 * error, mounted read-only, too large for a limit, out of memory or descriptors. */
bool mr_file_may_pass (int error);

/* Write all of it, going on after short writes. Returns 0, or -1 and errno. Changes iov. */
int mr_file_write_all (const mr_file_ops_t *ops, int fd, struct iovec *iov, int count,
                       uint64_t offset);

#endif
