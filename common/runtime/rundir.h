/* rundir: watch the run directory for the sockets of one stage's workers, RUN/<stage>.<slot>.ipc.
 * inotify, with a whole rescan when its queue overflows. Where the directory itself goes away or is
 * replaced, which is looked at once a second, its sockets have vanished, and those in the one that
 * has its path by now appear. Not thread safe. */
#ifndef MR_COMMON_RUNTIME_RUNDIR_H
#define MR_COMMON_RUNTIME_RUNDIR_H

#include "common/base/status.h"
#include "common/runtime/loop.h"

#include <sys/types.h>

typedef struct mr_rundir mr_rundir_t;

/* Called from the loop, and from mr_rundir_scan. A socket that was replaced vanishes first. */
typedef void mr_rundir_fn (void *arg, int slot);

/* Watch; the sockets that are there already are reported by the first mr_rundir_scan.
 *   run_dir, stage  copied
 * MR_SYSTEM: the directory cannot be watched. */
MR_CHECK mr_status_t mr_rundir_new (const char *run_dir, const char *stage, mr_loop_t *loop,
                                    mr_rundir_t **ret_rundir, mr_error_t *err);
void mr_rundir_destroy (mr_rundir_t **self_p);
void mr_rundir_on_change (mr_rundir_t *self, mr_rundir_fn *appeared, mr_rundir_fn *vanished,
                          void *arg);

/* Look at the directory now and report what changed since the last look. */
void mr_rundir_scan (mr_rundir_t *self);

#endif
