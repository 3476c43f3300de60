/* lines: the lines of a file or of standard input, one after another, with what `send --follow`
 * needs: a file that grows, is truncated, or is replaced by another of its name.
 * Not thread safe. */
#ifndef MR_LAUNCHER_LINES_H
#define MR_LAUNCHER_LINES_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { MR_LINES_NAME_BYTES = 63, MR_LINES_MAX_BYTES = 64 << 20, MR_LINES_NEXT_MAX = 256 };

typedef struct mr_lines mr_lines_t;

/* A file that is open. name: what mr_lines_name says of it; "": made from the file. */
typedef struct mr_lines_file {
    int fd;
    char name[MR_LINES_NAME_BYTES];
} mr_lines_file_t;

/* path "-": standard input. follow: an end of the file is not the end. MR_SYSTEM: cannot open. */
MR_CHECK mr_status_t mr_lines_open (const char *path, bool follow, mr_lines_t **ret_lines,
                                    mr_error_t *err);
void mr_lines_close (mr_lines_t **self_p);

/* Follow path, which need not exist, beginning with these files (1 .. MR_LINES_NEXT_MAX), one after
 * another; the newest that path names is among them. They are owned by the lines then. */
MR_CHECK mr_status_t mr_lines_open_files (const char *path, const mr_lines_file_t *files,
                                          unsigned count, mr_lines_t **ret_lines, mr_error_t *err);

/* The next line, without its newline; borrowed until the next call. A last line without newline is
 * a line unless follow is set.
 * MR_OK; MR_AGAIN: none now (wait for mr_lines_fd, or a moment); MR_CLOSED: that was all;
 * MR_INVALID: a line over MR_LINES_MAX_BYTES was passed over, err says where and of how many bytes;
 * the next call goes on behind it; MR_SYSTEM. */
MR_CHECK mr_status_t mr_lines_next (mr_lines_t *self, const char **ret_line, size_t *ret_bytes,
                                    mr_error_t *err);

/* Open a file, call fn for each line of it, close it. MR_OK: that was all; else as above. */
typedef void mr_lines_fn (void *arg, const char *line, size_t bytes);
MR_CHECK mr_status_t mr_lines_each (const char *path, mr_lines_fn *fn, void *arg, mr_error_t *err);

/* Read the file again from its beginning. */
void mr_lines_rewind (mr_lines_t *self);

/* Go on at this offset, which the file has. */
MR_CHECK mr_status_t mr_lines_seek (mr_lines_t *self, uint64_t offset, mr_error_t *err);

/* Where it was opened, and what is open now: its descriptor (-1: not a file), device and inode. */
const char *mr_lines_path (const mr_lines_t *self);
int mr_lines_file (const mr_lines_t *self);
const struct stat *mr_lines_stat (const mr_lines_t *self);

/* Whether its name was given by who opened it. */
bool mr_lines_named (const mr_lines_t *self);

/* A descriptor that becomes readable when there may be more; -1: none does (a file). */
int mr_lines_fd (const mr_lines_t *self);

/* Follow: a descriptor that becomes readable when mr_lines_look may find something; -1: none does.
 */
int mr_lines_next_fd (const mr_lines_t *self);

/* A name for the file that stays the same from run to run: made of device, inode and first line, so
 * that another file that reuses the inode has another name. For standard input one for this run.
 * MR_AGAIN: there is no first line yet. ret_name: MR_LINES_NAME_BYTES. */
MR_CHECK mr_status_t mr_lines_name (mr_lines_t *self, char *ret_name);

/* Follow: note a file that has taken the place of this one, and those that were there in between,
 * wherever rotation has moved them: the kernel counts them, so none is missed without a word on
 * standard error. Often, whatever else waits: while they can still be found. */
void mr_lines_look (mr_lines_t *self);

/* Follow: files one after another, and never back to one that grows when the next one has begun:
 * that is told instead. */
void mr_lines_keep_order (mr_lines_t *self);

typedef enum mr_lines_change {
    MR_LINES_SAME,
    MR_LINES_OTHER,     /* the next file is open now */
    MR_LINES_TRUNCATED, /* it is shorter, or other bytes stand where it was read: it begins anew */
} mr_lines_change_t;

/* Follow: once all of this file has been read, go on to the next one, or to its new beginning. The
 * next one counts only when there is something in it: until then its writer may still be at this
 * one. A last line without newline becomes a line then. One of the last few that grew since they
 * were read counts as the next, and then again the one that is left for it: they begin at 0, and
 * where reading is to go on is for the caller to know, by their names. */
mr_lines_change_t mr_lines_change (mr_lines_t *self);

/* How far reading has got, and the size of the file; 0 when unknown. */
int64_t mr_lines_offset (const mr_lines_t *self);
int64_t mr_lines_size (const mr_lines_t *self);

#endif
