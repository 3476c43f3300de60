/* simfs_disk: what simfs's files are made of: present bytes, synced bytes, and the writes between.
 * Private to simfs. */
#ifndef MR_TESTS_SUPPORT_SIMFS_DISK_H
#define MR_TESTS_SUPPORT_SIMFS_DISK_H

#include "tests/support/simfs.h"

enum { MR_SIM_FDS = 64, MR_SIM_MIN_CAPACITY = 8192, MR_SIM_NAME = 64, MR_SIM_SECTOR = 512 };

/* A change of contents that no sync has confirmed: bytes at an offset, or a new size. */
typedef struct mr_sim_change {
    struct mr_sim_change *next;
    uint64_t offset; /* or the new size */
    size_t bytes;
    bool resize;
    char data[];
} mr_sim_change_t;

typedef struct mr_sim_bytes {
    char *data;
    size_t size;
    size_t capacity;
} mr_sim_bytes_t;

typedef struct mr_sim_inode {
    struct mr_sim_inode *next;
    char *
        data; /* present; does not move while below MR_SIM_MIN_CAPACITY, so that it can be mapped */
    size_t size;
    size_t capacity;
    mr_sim_bytes_t disk;
    mr_sim_change_t *changes; /* oldest first */
    mr_sim_change_t **changes_end;
    int references; /* names (present and on disk) and descriptors */
    bool mapped;
    uint64_t bad_from; /* reads of these bytes fail */
    uint64_t bad_to;
} mr_sim_inode_t;

typedef struct {
    char name[MR_SIM_NAME];
    mr_sim_inode_t *inode;
} mr_sim_row_t;

typedef struct {
    mr_sim_row_t *rows;
    size_t count;
} mr_sim_names_t;

/* A change of names that no sync has confirmed. */
typedef struct mr_sim_naming {
    struct mr_sim_naming *next;
    char from[MR_SIM_NAME]; /* "": made */
    char to[MR_SIM_NAME];   /* "": removed */
    mr_sim_inode_t *inode;
} mr_sim_naming_t;

struct mr_simfs {
    mr_file_ops_t ops;
    uint64_t random;
    uint64_t boot;
    uint64_t calls;
    uint64_t bytes_read;
    uint64_t space;
    uint64_t fail_in;
    uint64_t fail_times;
    int fail_error;
    uint64_t die_in;
    bool dead;
    mr_sim_inode_t *inodes;
    mr_sim_names_t names; /* present */
    mr_sim_names_t disk_names;
    mr_sim_naming_t *namings; /* oldest first */
    mr_sim_inode_t *fds[MR_SIM_FDS];
};

mr_sim_inode_t *mr_sim_find (const mr_sim_names_t *names, const char *name);
mr_sim_inode_t *mr_sim_create (mr_simfs_t *self, const char *name);
/* to NULL: remove. */
void mr_sim_change_name (mr_simfs_t *self, const char *from, const char *to);
void mr_sim_drop (mr_sim_inode_t *inode);
void mr_sim_write (mr_sim_inode_t *inode, uint64_t offset, const struct iovec *iov, size_t bytes);
void mr_sim_resize (mr_sim_inode_t *inode, uint64_t size);
/* Everything written so far is on the disk / is taken for it but is not. */
void mr_sim_settle (mr_sim_inode_t *inode);
void mr_sim_forget (mr_sim_inode_t *inode);
void mr_sim_settle_names (mr_simfs_t *self);
uint64_t mr_sim_space (const mr_simfs_t *self);

#endif
