/* errands: the commands that `millrace chaos` gives to its own chain, as a person would type them,
 * each a process; several may run side by side. Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_ERRANDS_H
#define MR_LAUNCHER_CHAOS_ERRANDS_H

#include "common/base/status.h"
#include "launcher/child.h"

#include <limits.h>
#include <stdbool.h>

enum { MR_ERRANDS_MAX = 4, MR_ERRAND_WORDS = 8, MR_ERRAND_WORD_BYTES = 32 };

/* What stands behind `millrace`; texts are copied, the first empty one ends them. */
typedef struct mr_errand_words {
    char words[MR_ERRAND_WORDS][MR_ERRAND_WORD_BYTES];
} mr_errand_words_t;

typedef struct mr_errand {
    mr_child_t child;       /* pidfd -1: the place is free */
    mr_errand_words_t then; /* once it has ended, whatever came of it; no words: nothing */
} mr_errand_t;

typedef struct mr_errands {
    char program[PATH_MAX];
    char config[PATH_MAX];
    char stderr_path[PATH_MAX];
    int64_t said_at; /* where in it the last errand's words begin */
    int code;        /* how the last one that ended did; -1: killed */
    mr_errand_t places[MR_ERRANDS_MAX];
} mr_errands_t;

/* folder: where errands.stderr goes. MR_CLOSED: there is no `millrace` to run; MR_SYSTEM. */
MR_CHECK mr_status_t mr_errands_init (mr_errands_t *self, const char *config, const char *folder,
                                      mr_error_t *err);

/* MR_OK; MR_AGAIN: all places are taken; MR_SYSTEM. then: NULL for nothing. */
MR_CHECK mr_status_t mr_errands_start (mr_errands_t *self, const mr_errand_words_t *words,
                                       const mr_errand_words_t *then, mr_error_t *err);

/* See which have ended, start what follows them, and reap all other children of ours that have
 * ended: workers whose launcher was killed. Returns how many errands are under way. */
int mr_errands_look (mr_errands_t *self);

/* What the last errand said on stderr. */
void mr_errands_last_words (const mr_errands_t *self, mr_error_t *err);

/* Kill those under way. */
void mr_errands_release (mr_errands_t *self);

/* Whether no child of ours is left, errand or not. */
bool mr_errands_childless (void);

#endif
