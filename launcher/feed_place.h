/* feed_place: where the lines of a file begin that are still to be sent, by the place that was kept
 * of it (place.h), and keeping it. Without a place, lines are counted from the file's beginning,
 * and those that ingest refuses, which have no number, make the count too small. Not thread safe.
 */
#ifndef MR_LAUNCHER_FEED_PLACE_H
#define MR_LAUNCHER_FEED_PLACE_H

#include "launcher/feed_name.h"
#include "launcher/lines.h"
#include "launcher/place.h"

typedef struct mr_feed_place {
    const char *dir; /* of places; NULL: none are kept */
    bool follow;

    /* What mr_feed_place_go has found: so many records of the file are acknowledged before where it
     * goes on, and so many behind. */
    uint64_t passed;
    uint64_t skip;

    /* Its own; all zero at first. */
    mr_place_t *place;
    mr_place_t *previous; /* of the file before, until this one's is there */
    bool found;           /* place is of an earlier run */
    bool told;            /* that no place can be kept */
} mr_feed_place_t;

void mr_feed_place_release (mr_feed_place_t *self);

/* A file is open and has a name: look whether there is a place of it. Says so when it was written
 * anew in place, and then it has the name of its next generation. */
void mr_feed_place_begin (mr_feed_place_t *self, const mr_lines_t *lines, mr_feed_name_t *name);

/* `last` is the last number that ingest has for it: go to where that record ends, and keep a place
 * from now on.
 * MR_OK; MR_SYSTEM, MR_INVALID: the file cannot be read there. */
MR_CHECK mr_status_t mr_feed_place_go (mr_feed_place_t *self, mr_lines_t *lines,
                                       const mr_feed_name_t *name, uint64_t last, mr_error_t *err);

/* A request is about to go whose last record has this number and ends at this offset. */
void mr_feed_place_note (mr_feed_place_t *self, const mr_lines_t *lines, uint64_t number,
                         uint64_t offset);

/* Ingest refused the record behind `last`: the numbers above are given out anew. */
void mr_feed_place_refused (mr_feed_place_t *self, uint64_t last);

/* Ingest has forgotten the name, `last` being the last number it had acknowledged: name is a new
 * one, that begins there. */
void mr_feed_place_renew (mr_feed_place_t *self, const mr_lines_t *lines,
                          const mr_feed_name_t *name, uint64_t last);

/* Note size and time of change. */
void mr_feed_place_look (mr_feed_place_t *self, const mr_lines_t *lines);

/* Say that what the file of this place held behind number `last` is lost, and what to do. */
void mr_feed_place_tell_lost (mr_place_t *place, uint64_t last);

#endif
