/* feed_name: under which name the lines of a file are numbered, so that a second run goes on behind
 * what was acknowledged: device, inode and first line; and how often a file of that name began
 * anew, for one that is truncated may begin with the same line again. Not thread safe. */
#ifndef MR_LAUNCHER_FEED_NAME_H
#define MR_LAUNCHER_FEED_NAME_H

#include "common/base/status.h"
#include "launcher/lines.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero at first. */
typedef struct mr_feed_name {
    char text[MR_LINES_NAME_BYTES]; /* to be used now */
    char base[MR_LINES_NAME_BYTES];
    bool fixed;           /* given by the user: all files are numbered together */
    bool fresh;           /* nothing of what is read now was sent yet */
    bool settled;         /* the generation is known: there is nothing to ask for but its number */
    unsigned generation;  /* so often a file of this name began anew */
    unsigned renewed;     /* ingest has forgotten the name so often */
    uint64_t last_before; /* last number of the generation before */
} mr_feed_name_t;

/* What is open now has another name than before, or begins anew.
 *   producer  given by the user; NULL: made from the file
 * MR_OK; MR_AGAIN: it has no first line yet; MR_INVALID: not a name, err says why. */
MR_CHECK mr_status_t mr_feed_name_take (mr_feed_name_t *self, mr_lines_t *lines,
                                        const char *producer, mr_error_t *err);

/* What is known of it from an earlier run: the name to use (NULL: that of the generation), and
 * whether anything of what is read now was sent under it. */
void mr_feed_name_set (mr_feed_name_t *self, const char *text, unsigned generation,
                       unsigned renewed, bool fresh);

/* Ingest has answered which number was the last under this name. True: ask again, under the name of
 * the next generation. False: *last is that of the newest generation that ingest knows. */
bool mr_feed_name_ask_on (mr_feed_name_t *self, uint64_t *last);

/* Ingest has lost the numbers (its journal is gone): what is acknowledged stays so, and the rest
 * goes under a name that it does not know. */
void mr_feed_name_renew (mr_feed_name_t *self);

#endif
