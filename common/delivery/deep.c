#include "common/delivery/deep.h"

#include "common/base/slots.h"
#include "common/delivery/deep_private.h"
#include "common/delivery/journal.h"
#include "common/delivery/window.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 50, PAUSE_MS = 5, FIRST_ROWS = 1024 };

/* ---- lists, faults ---- */

void *
mr_deep_list_add (mr_deep_list_t *self, size_t bytes)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? FIRST_ROWS : self->capacity * 2;
        void *bigger = reallocarray (self->rows, capacity, bytes);
        if (bigger == NULL) {
            return NULL;
        }
        self->rows = bigger;
        self->capacity = capacity;
    }
    return (char *)self->rows + bytes * self->count++;
}

void
mr_deep_list_release (mr_deep_list_t *self)
{
    free (self->rows);
    *self = (mr_deep_list_t){0};
}

static void
fill_fault (mr_deep_fault_t *fault, const mr_deep_place_t *place, const char *format, va_list args)
{
    *fault = (mr_deep_fault_t){.journal = place->journal, .seq = place->seq};
    if (place->log != NULL) {
        char file[MR_SEGLOG_NAME_BYTES];
        mr_seglog_name (file, place->segment, ".seg");
        snprintf (fault->file, sizeof fault->file, "%s/%s", place->log, file);
        fault->offset = place->position - place->segment;
    }
    vsnprintf (fault->what, sizeof fault->what, format, args);
}

void
mr_deep_fault_at (mr_deep_fault_t *ret_fault, const mr_deep_place_t *place, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fill_fault (ret_fault, place, format, args);
    va_end (args);
}

void
mr_deep_tell (mr_deep_t *self, const mr_deep_place_t *place, const char *format, ...)
{
    mr_deep_fault_t fault;
    va_list args;
    va_start (args, format);
    fill_fault (&fault, place, format, args);
    va_end (args);
    self->visitor->fault (self->visitor->arg, &fault);
}

/* ---- the cut ---- */

static mr_status_t
note_words (mr_deep_ingest_t *self, const mr_window_t *window)
{
    free (self->done);
    self->done_count = 0;
    self->done = calloc (MR_WINDOW_MAX_LIMIT, 1);
    if (self->done == NULL) {
        return MR_SYSTEM;
    }
    for (uint64_t i = 0; i < MR_WINDOW_MAX_LIMIT; i++) {
        mr_window_word_t word = mr_window_load (window, self->watermark + 1 + i);
        if (word.seq != self->watermark + 1 + i) {
            break;
        }
        self->done[i] = word.state == MR_WINDOW_DONE && word.slot < MR_SLOTS_MAX ? 1 : 0;
        self->done_count = i + 1;
    }
    return MR_OK;
}

/* Where the journal's window stands now. */
static mr_status_t
read_window (mr_deep_ingest_t *self, mr_error_t *err)
{
    char path[PATH_MAX + 32];
    mr_journal_path (self->deep->data_dir, self->slot, path);
    mr_journal_info_t info;
    mr_status_t status = mr_journal_peek (path, &info, err);
    if (status != MR_OK) {
        return status == MR_CLOSED ? MR_OK : status;
    }
    snprintf (path, sizeof path, "%s/ingest.%d.window", self->deep->data_dir, self->slot);
    mr_window_t *window = NULL;
    status = mr_window_open (path, info.id, &window, err);
    self->watermark = info.watermark;
    self->gone = info.unknown;
    self->done_count = 0;
    self->under_way = 0;
    if (status != MR_OK) { /* of another start of the machine: what the journal noted holds */
        return status == MR_CLOSED ? MR_OK : status;
    }
    if (mr_window_base (window) > self->watermark) {
        self->watermark = mr_window_base (window);
    }
    self->watermark = mr_window_settled_from (window, self->watermark);
    self->under_way = mr_window_under_way (window);
    status = note_words (self, window);
    mr_window_close (&window);
    return status;
}

static mr_status_t
read_journals (mr_deep_t *self, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        status = mr_deep_read_journal (&self->ingests[slot], err);
    }
    return status;
}

static mr_status_t
read_spools (mr_deep_t *self, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        status = mr_deep_read_spool (&self->exporters[slot], err);
    }
    return status;
}

static mr_status_t
cut (mr_deep_t *self, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        status = read_window (&self->ingests[slot], err);
    }
    if (status == MR_OK) {
        status = read_journals (self, err);
    }
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        mr_deep_ingest_t *ingest = &self->ingests[slot];
        uint64_t records;
        ingest->top = ingest->last_seq;
        ingest->top_received = ingest->total;
        status = mr_deep_settled_in (ingest, &records);
    }
    return status;
}

/* Something that changes when a journal or what is settled of it does. */
static uint64_t
state_of (const mr_deep_t *self)
{
    uint64_t state = 0;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        state += self->ingests[slot].read_to + self->ingests[slot].watermark;
    }
    return state;
}

/* A journal without the batches that are to be settled next: told, and judged from where it
 * begins. */
static void
begin_late (mr_deep_ingest_t *self)
{
    const mr_deep_taken_t *taken = self->taken.rows;
    uint64_t records;
    char name[32];
    if (mr_deep_settled_in (self, &records) != MR_AGAIN || taken[0].seq <= self->watermark) {
        return;
    }
    snprintf (name, sizeof name, "ingest.%d.journal", self->slot);
    uint64_t begin = self->taken.count > 1 ? taken[1].segment : self->segment;
    mr_deep_place_t place = {name, begin, begin, self->id, 0};
    mr_deep_tell (self->deep, &place,
                  "batches %llu to %llu are not settled, and gone with the segments before",
                  (unsigned long long)self->watermark + 1, (unsigned long long)taken[0].seq);
    self->watermark = taken[0].seq;
    self->done_count = 0;
}

static mr_status_t
cut_in_time (mr_deep_t *self, mr_error_t *err)
{
    uint64_t before = 0;
    mr_status_t status = MR_AGAIN;
    for (int i = 0; i < TRIES && status == MR_AGAIN; i++) {
        if (i > 0) {
            nanosleep (&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        }
        status = cut (self, err);
        before = i == 0 ? state_of (self) : before;
    }
    if (status == MR_AGAIN && state_of (self) == before) {
        status = MR_OK;
        for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
            uint64_t records;
            begin_late (&self->ingests[slot]);
            self->ingests[slot].top = self->ingests[slot].last_seq;
            self->ingests[slot].top_received = self->ingests[slot].total;
            status = mr_deep_settled_in (&self->ingests[slot], &records);
        }
    }
    if (status == MR_AGAIN) {
        mr_error_set (err, "the journals move too fast to be caught; try again");
    }
    return status;
}

/* ---- all of it ---- */

static int
by_identity (const void *a, const void *b)
{
    const mr_deep_spooled_t *left = a;
    const mr_deep_spooled_t *right = b;
    if (left->journal != right->journal) {
        return left->journal < right->journal ? -1 : 1;
    }
    if (left->seq != right->seq) {
        return left->seq < right->seq ? -1 : 1;
    }
    return (left->slot > right->slot) - (left->slot < right->slot);
}

static void
look_for_windows (mr_deep_t *self)
{
    char path[PATH_MAX + 32];
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        snprintf (path, sizeof path, "%s/ingest.%d.window", self->data_dir, slot);
        self->ingests[slot].has_window = access (path, F_OK) == 0;
    }
}

static mr_status_t
read_all (mr_deep_t *self, mr_error_t *err)
{
    look_for_windows (self);
    mr_status_t status = read_journals (self, err);
    if (status == MR_OK) {
        status = read_spools (self, err);
    }
    if (status == MR_OK) {
        status = cut_in_time (self, err);
    }
    if (status == MR_OK) {
        status = read_spools (self, err);
    }
    if (status == MR_OK) {
        status = read_journals (self, err);
    }
    if (status == MR_OK && self->spooled.count > 1) {
        qsort (self->spooled.rows, self->spooled.count, sizeof (mr_deep_spooled_t), by_identity);
    }
    if (status == MR_OK) {
        status = mr_deep_judge (self);
        if (status == MR_AGAIN) {
            mr_error_set (err, "the journals move too fast to be caught; try again");
        }
    }
    return status;
}

static void
release (mr_deep_t *self)
{
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_deep_ingest_t *ingest = &self->ingests[slot];
        mr_deep_list_release (&ingest->taken);
        mr_deep_list_release (&ingest->lost);
        mr_deep_list_release (&ingest->holes);
        free (ingest->done);
    }
    mr_deep_list_release (&self->spooled);
    free (self);
}

mr_status_t
mr_deep_read (const char *data_dir, const mr_deep_visitor_t *visitor, mr_error_t *err)
{
    mr_deep_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "audit");
    }
    mr_error_set (err, "no memory"); /* what fails otherwise says so itself */
    self->data_dir = data_dir;
    self->visitor = visitor;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        self->ingests[slot].deep = self;
        self->ingests[slot].slot = slot;
        self->exporters[slot].deep = self;
        self->exporters[slot].slot = slot;
        self->exporters[slot].seen.slot = slot;
    }
    mr_status_t status = read_all (self, err);
    release (self);
    return status;
}
