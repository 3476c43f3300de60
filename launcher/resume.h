/* resume: what `send --follow` begins with: the files that it had not sent to their ends when it
 * was last here, wherever a rotation has moved them, those that were rotated since, and the one
 * that has the name now. Not thread safe. */
#ifndef MR_LAUNCHER_RESUME_H
#define MR_LAUNCHER_RESUME_H

#include "launcher/lines.h"
#include "launcher/place.h"

enum { MR_RESUME_PLACES = 32 };

/* Said of a file that is the one that was read before. */
#define MR_RESUME_GREW "%s is the file that was read before: it goes on behind what was sent\n"

typedef struct mr_resume {
    mr_lines_file_t files[MR_LINES_NEXT_MAX]; /* in the order in which they were written; open */
    unsigned count;
    mr_place_t *lost[MR_RESUME_PLACES]; /* of files that are not to be found; owned */
    size_t lost_count;
} mr_resume_t;

/* Look for them; says on standard error which other files than path itself are sent first.
 *   dir   of places
 *   path  absolute; without a file there the result may be empty */
void mr_resume_find (const char *dir, const char *path, mr_resume_t *ret_resume);

/* The next one is lost. NULL: no more. Owned by the caller then. */
mr_place_t *mr_resume_lost (mr_resume_t *self);

/* Close what was not taken. */
void mr_resume_release (mr_resume_t *self);

#endif
