#include "launcher/feed_place.h"

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "launcher/filetail.h"
#include "launcher/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
mr_feed_place_release (mr_feed_place_t *self)
{
    mr_place_close (&self->place);
    mr_place_close (&self->previous);
}

static bool
is_of (const mr_place_t *place, const mr_lines_t *lines)
{
    const mr_place_facts_t *facts = mr_place_facts (place);
    const struct stat *status = mr_lines_stat (lines);
    return facts->device == (uint64_t)status->st_dev && facts->inode == (uint64_t)status->st_ino;
}

/* What a search has found (a copy, say, that was made before the file was truncated) has its name
 * from there, and need not be the inode. */
static bool
is_same (const mr_place_t *place, const mr_lines_t *lines)
{
    return (is_of (place, lines) || mr_lines_named (lines)) &&
           mr_place_fits (place, mr_lines_file (lines));
}

void
mr_feed_place_begin (mr_feed_place_t *self, const mr_lines_t *lines, mr_feed_name_t *name)
{
    mr_place_close (&self->previous);
    self->previous = self->place;
    self->place = NULL;
    self->found = false;
    mr_place_t *place = NULL;
    if (self->dir == NULL || mr_lines_file (lines) < 0 || (name->fresh && self->previous != NULL) ||
        mr_place_open (self->dir, name->base, &place) != MR_OK) {
        return;
    }
    const mr_place_facts_t *facts = mr_place_facts (place);
    if (is_same (place, lines)) {
        mr_feed_name_set (name, facts->text, facts->generation, facts->renewed, false);
        self->place = place;
        self->found = true;
        if (self->follow && !mr_lines_named (lines)) {
            fprintf (stderr, MR_RESUME_GREW, mr_lines_path (lines));
        }
        return;
    }
    if (!name->fixed) {
        fprintf (stderr,
                 "%s was written anew in place: what stands before byte %" PRIu64
                 " is not what was sent; all of it is sent\n",
                 mr_lines_path (lines), mr_place_reach (place));
        mr_feed_name_set (name, NULL, facts->generation + 1, 0, true);
    } else if (self->follow) { /* the numbers go on with the first line of another file */
        mr_feed_name_set (name, facts->text, facts->generation, facts->renewed, true);
    }
    mr_place_close (&place);
}

/* Keep a place of what is open now, from this mark on. */
static void
make (mr_feed_place_t *self, const mr_lines_t *lines, const mr_feed_name_t *name,
      mr_place_mark_t start)
{
    const struct stat *status = mr_lines_stat (lines);
    mr_place_facts_t facts = {
        .generation = name->generation,
        .renewed = name->renewed,
        .device = (uint64_t)status->st_dev,
        .inode = (uint64_t)status->st_ino,
        .followed = self->follow,
        .begun_ns = mr_clock_wall_ns (),
        .start = start,
    };
    mr_error_t err;
    snprintf (facts.base, sizeof facts.base, "%s", name->base);
    snprintf (facts.text, sizeof facts.text, "%s", name->text);
    snprintf (facts.path, sizeof facts.path, "%s", mr_lines_path (lines));
    mr_place_close (&self->place);
    if (mr_place_make (self->dir, &facts, &self->place, &err) != MR_OK && !self->told) {
        self->told = true;
        fprintf (
            stderr,
            "%s; no place is kept of %s: a second run counts its lines, and finds no file that "
            "was renamed meanwhile\n",
            err.text, mr_lines_path (lines));
    }
}

mr_status_t
mr_feed_place_go (mr_feed_place_t *self, mr_lines_t *lines, const mr_feed_name_t *name,
                  uint64_t last, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    self->passed = 0;
    self->skip = name->fresh ? 0 : last;
    if (self->dir == NULL || mr_lines_file (lines) < 0) {
        return MR_OK;
    }
    if (self->found) {
        mr_place_mark_t start = mr_place_facts (self->place)->start;
        mr_place_mark_t mark = mr_place_find (self->place, last);
        status = mr_lines_seek (lines, mark.offset, err);
        self->skip = last > mark.number ? last - mark.number : 0;
        self->passed = mark.number - start.number;
        if (last < start.number) { /* ingest has forgotten the name */
            start.number = last;
            make (self, lines, name, start);
        } else if (self->follow) {
            const struct stat *file = mr_lines_stat (lines);
            mr_place_move (self->place, (uint64_t)file->st_dev, (uint64_t)file->st_ino);
            mr_place_follow (self->place, mr_lines_path (lines));
        }
    } else {
        mr_place_mark_t start = {.number = name->fresh ? last : 0};
        (void)mr_filetail_hash (mr_lines_file (lines), 0, &start.tail);
        make (self, lines, name, start);
    }
    if (self->previous != NULL && self->place != NULL) {
        mr_place_follow (self->previous, NULL);
    }
    mr_place_close (&self->previous);
    mr_feed_place_look (self, lines);
    return status;
}

void
mr_feed_place_note (mr_feed_place_t *self, const mr_lines_t *lines, uint64_t number,
                    uint64_t offset)
{
    mr_place_mark_t mark = {.number = number, .offset = offset};
    if (self->place == NULL || !mr_filetail_hash (mr_lines_file (lines), offset, &mark.tail)) {
        return;
    }
    if (!mr_place_note (self->place, mark) && !self->told) {
        self->told = true;
        fprintf (stderr,
                 "the place of %s cannot be written: a second run counts lines from the last "
                 "one that was\n",
                 mr_lines_path (lines));
    }
}

void
mr_feed_place_refused (mr_feed_place_t *self, uint64_t last)
{
    if (self->place != NULL) {
        mr_place_forget_above (self->place, last);
    }
}

void
mr_feed_place_renew (mr_feed_place_t *self, const mr_lines_t *lines, const mr_feed_name_t *name,
                     uint64_t last)
{
    if (self->place != NULL) {
        mr_place_mark_t mark = mr_place_find (self->place, last);
        if (mark.number == last) {
            mark.number = 0;
            make (self, lines, name, mark);
        } else {
            mr_place_close (&self->place);
        }
    }
}

void
mr_feed_place_look (mr_feed_place_t *self, const mr_lines_t *lines)
{
    struct stat now;
    if (self->place != NULL && fstat (mr_lines_file (lines), &now) == 0) {
        mr_place_see (self->place, (int64_t)now.st_size,
                      (int64_t)now.st_mtim.tv_sec * MR_NS_PER_S + now.st_mtim.tv_nsec);
    }
}

void
mr_feed_place_tell_lost (mr_place_t *place, uint64_t last)
{
    const mr_place_facts_t *facts = mr_place_facts (place);
    mr_place_mark_t mark = mr_place_find (place, last);
    int64_t left = facts->seen_bytes - (int64_t)mark.offset;
    struct stat now;
    if (left <= 0 && stat (facts->path, &now) == 0 && (uint64_t)now.st_ino == facts->inode) {
        mr_place_follow (place, NULL); /* truncated where it was, and all that was seen is sent */
        return;
    }
    fprintf (stderr,
             "%s was replaced while nobody followed it, and what it was is not to be found (inode "
             "%" PRIu64 "; deleted, or compressed?): sent up to byte %" PRIu64 ", %" PRId64
             " bytes behind that were seen, and what came later is unknown; from a copy of it send "
             "the rest by: tail -c +%" PRIu64 " COPY | millrace send --producer rest-%016" PRIx64
             "\n",
             facts->path, facts->inode, mark.offset, left > 0 ? left : 0, mark.offset + 1,
             mr_hash64 (facts->text, strlen (facts->text)) ^ mark.offset);
    mr_place_follow (place, NULL);
}
