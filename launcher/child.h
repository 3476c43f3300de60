/* child: processes by pidfd. Start a program, learn that it is ready, signal it, learn how it
 * ended; a worker that somebody else started is adopted and watched in the same way.
 *
 * A child gets a session of its own and no parent-death signal, so that it outlives the launcher
 * and a terminal's Ctrl-C; stdin is /dev/null, stderr a file, stdout the launcher's or /dev/null;
 * no other descriptor but the one for readiness. Not thread safe. */
#ifndef MR_LAUNCHER_CHILD_H
#define MR_LAUNCHER_CHILD_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { MR_CHILD_READY_FD = 3, MR_CHILD_STDERR_MAX_BYTES = 1 << 20, MR_CHILD_WAITS_BYTES = 512 };

typedef struct mr_child {
    pid_t pid;
    int pidfd;            /* readable once it is gone; -1: no process */
    int ready_fd;         /* its newline or end of file comes here; -1: not waited for */
    bool ours;            /* we are its parent */
    uint64_t incarnation; /* 0: not known yet (a child that has not taken its lock) */
    char waits[MR_CHILD_WAITS_BYTES]; /* why it cannot start now, in its words; "": it has not said
                                       */
} mr_child_t;

typedef struct mr_child_spec {
    char *const *argv;       /* argv[0] is the program's path; `--ready-fd 3` is among the others */
    const char *stderr_path; /* lost while the disk takes nothing; appended to; a file over
                                MR_CHILD_STDERR_MAX_BYTES starts anew */
    bool inherit_stdout;
} mr_child_spec_t;

/* Start a program. ret_child: release it once the process is gone.
 * MR_OK; MR_SYSTEM (err: what failed, exec included). */
MR_CHECK mr_status_t mr_child_spawn (const mr_child_spec_t *spec, mr_child_t *ret_child,
                                     mr_error_t *err);

/* Watch the living worker `name` of run_dir. The lock is read again after the pidfd is open, so
 * that the descriptor is the holder's. MR_OK; MR_CLOSED: nobody holds it; MR_SYSTEM. */
MR_CHECK mr_status_t mr_child_adopt (const char *run_dir, const char *name, mr_child_t *ret_child,
                                     mr_error_t *err);

/* Send a signal. Our own child: through its pidfd. An adopted one: only while the lock of `name`
 * still names this pid and incarnation. MR_OK; MR_CLOSED: it is gone; MR_SYSTEM. */
MR_CHECK mr_status_t mr_child_signal (const mr_child_t *self, const char *run_dir, const char *name,
                                      int signal, mr_error_t *err);

/* Take what is in ready_fd. MR_OK: it is ready, ready_fd is closed; MR_AGAIN: not yet, or it has
 * said what it waits for; MR_CLOSED: end of file without a newline, ready_fd is closed. */
MR_CHECK mr_status_t mr_child_take_ready (mr_child_t *self);

/* How it ended; call it when pidfd is readable. MR_AGAIN: it lives. Someone else's process: code -1
 * and signal 0, nobody can know. */
MR_CHECK mr_status_t mr_child_reap (const mr_child_t *self, int *ret_code, int *ret_signal);

/* Close the descriptors; the process lives on. */
void mr_child_release (mr_child_t *self);

/* The path of a program of ours: beside the running executable, else in PATH. ret_path: PATH_MAX
 * bytes. MR_CLOSED: in neither. */
MR_CHECK mr_status_t mr_child_find (const char *program, char *ret_path, mr_error_t *err);

#endif
