/* What journals and spools say, held against each other. */
#include "common/base/slots.h"
#include "common/delivery/deep_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

enum { NAMED_MOST = 20 }; /* faults of one kind that are told of one by one, for one journal */

/* Faults of one kind. */
typedef struct tellings {
    const mr_deep_ingest_t *ingest;
    uint64_t count;
} tellings_t;

static bool
tell_more (tellings_t *tellings)
{
    return ++tellings->count <= NAMED_MOST;
}

static void
tell_rest (const tellings_t *tellings, const char *what)
{
    if (tellings->count > NAMED_MOST) {
        mr_deep_place_t place = {.journal = tellings->ingest->id};
        mr_deep_tell (tellings->ingest->deep, &place, "%llu more batches %s",
                      (ull)(tellings->count - NAMED_MOST), what);
    }
}

/* ---- what the journal says ---- */

/* Index of the first row above this seq. */
static size_t
first_above (const mr_deep_ingest_t *self, uint64_t seq)
{
    const mr_deep_taken_t *rows = self->taken.rows;
    size_t low = 0;
    size_t high = self->taken.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows[middle].seq <= seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
in_hole (const mr_deep_ingest_t *self, uint64_t seq)
{
    const mr_deep_hole_t *holes = self->holes.rows;
    for (size_t i = 0; i < self->holes.count; i++) {
        if (seq > holes[i].after && seq < holes[i].before) {
            return true;
        }
    }
    return false;
}

mr_status_t
mr_deep_settled_in (const mr_deep_ingest_t *ingest, uint64_t *ret_records)
{
    const mr_deep_taken_t *rows = ingest->taken.rows;
    size_t above = first_above (ingest, ingest->watermark);
    *ret_records = 0;
    if (ingest->taken.count == 0) {
        return MR_OK;
    }
    if (above == 0) {
        return in_hole (ingest, ingest->watermark) ? MR_OK : MR_AGAIN;
    }
    *ret_records = rows[above - 1].total;
    if (above == ingest->taken.count || rows[above - 1].seq == ingest->watermark) {
        return MR_OK;
    }
    uint64_t before = rows[above].total - rows[above].received;
    if (before == *ret_records || in_hole (ingest, ingest->watermark)) {
        return MR_OK;
    }
    *ret_records = before;
    return rows[above].seq == ingest->watermark + 1 && rows[above].received > 0 ? MR_OK : MR_AGAIN;
}

static bool
is_lost (const mr_deep_ingest_t *self, uint64_t seq)
{
    const mr_deep_lost_t *rows = self->lost.rows;
    for (size_t i = 0; i < self->lost.count; i++) {
        if (rows[i].seq == seq) {
            return true;
        }
    }
    return false;
}

static uint64_t
lost_through (const mr_deep_ingest_t *self, uint64_t seq)
{
    const mr_deep_lost_t *rows = self->lost.rows;
    uint64_t records = self->lost_before;
    for (size_t i = 0; i < self->lost.count; i++) {
        records += rows[i].seq <= seq ? rows[i].records : 0;
    }
    return records;
}

/* ---- what the spools say ---- */

typedef struct range {
    const mr_deep_spooled_t *rows;
    size_t count;
} range_t;

static int
compare (const mr_deep_spooled_t *row, uint64_t journal, uint64_t seq)
{
    if (row->journal != journal) {
        return row->journal < journal ? -1 : 1;
    }
    return row->seq < seq ? -1 : row->seq > seq;
}

/* Index of the first row that is not below (journal, seq). */
static size_t
lower_bound (const mr_deep_t *self, uint64_t journal, uint64_t seq)
{
    const mr_deep_spooled_t *rows = self->spooled.rows;
    size_t low = 0;
    size_t high = self->spooled.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare (&rows[middle], journal, seq) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static range_t
range_of (const mr_deep_t *self, uint64_t journal)
{
    size_t from = lower_bound (self, journal, 0);
    size_t end = from;
    const mr_deep_spooled_t *rows = self->spooled.rows;
    while (end < self->spooled.count && rows[end].journal == journal) {
        end++;
    }
    return (range_t){rows != NULL ? rows + from : NULL, end - from};
}

static const mr_deep_spooled_t *
find (const mr_deep_t *self, uint64_t journal, uint64_t seq)
{
    size_t i = lower_bound (self, journal, seq);
    const mr_deep_spooled_t *rows = self->spooled.rows;
    return i < self->spooled.count && compare (&rows[i], journal, seq) == 0 ? &rows[i] : NULL;
}

/* Of all that is not known batch by batch: sums, and the highest seq among them. */
static mr_spool_sum_t
base_of (mr_deep_t *self, uint64_t journal)
{
    mr_spool_sum_t all = {.journal = journal};
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_deep_sums_t *base = &self->exporters[slot].base;
        for (uint32_t i = 0; i < base->count; i++) {
            if (base->rows[i].journal == journal) {
                mr_spool_sum_add (&all, &base->rows[i]);
            }
        }
    }
    return all;
}

static mr_deep_place_t
place_of (const mr_deep_spooled_t *row, char name[32])
{
    snprintf (name, 32, "exporter.%u.spool", row->slot);
    return (mr_deep_place_t){
        .log = name,
        .segment = row->segment,
        .position = row->position,
        .journal = row->journal,
        .seq = row->seq,
    };
}

/* ---- held against each other ---- */

static void
judge_doubles (const mr_deep_ingest_t *self, range_t range)
{
    tellings_t doubles = {.ingest = self};
    for (size_t i = 1; i < range.count; i++) {
        const mr_deep_spooled_t *first = &range.rows[i - 1];
        const mr_deep_spooled_t *second = &range.rows[i];
        if (first->seq == second->seq && tell_more (&doubles)) {
            char name[32];
            mr_deep_place_t place = place_of (second, name);
            mr_deep_tell (self->deep, &place,
                          "the batch is there twice: also in exporter.%u.spool at position %llu",
                          first->slot, (ull)first->position);
        }
    }
    tell_rest (&doubles, "are in spools more than once");
}

static bool
must_be_spooled (const mr_deep_ingest_t *self, uint64_t seq)
{
    if (seq <= self->watermark) {
        return true;
    }
    uint64_t i = seq - self->watermark - 1;
    return i < self->done_count && self->done[i] != 0;
}

/* Batch by batch. Returns how many were found to be where they should be. */
static uint64_t
judge_batches (const mr_deep_ingest_t *self, uint64_t from)
{
    const mr_deep_taken_t *rows = self->taken.rows;
    tellings_t missing = {.ingest = self};
    tellings_t changed = {.ingest = self};
    uint64_t good = 0;
    for (size_t i = first_above (self, from - 1); i < self->taken.count; i++) {
        const mr_deep_spooled_t *found = find (self->deep, self->id, rows[i].seq);
        char name[32];
        snprintf (name, sizeof name, "ingest.%d.journal", self->slot);
        mr_deep_place_t place = {name, rows[i].segment, rows[i].position, self->id, rows[i].seq};
        bool real = rows[i].position != 0;
        if (found == NULL) {
            if (real && must_be_spooled (self, rows[i].seq) && !is_lost (self, rows[i].seq) &&
                tell_more (&missing)) {
                mr_deep_tell (self->deep, &place,
                              "the batch is settled, with %llu records, and in no spool",
                              (ull)rows[i].received);
            }
            continue;
        }
        uint64_t records = (uint64_t)found->exported + found->filtered + found->dead;
        if (real && records != rows[i].received && tell_more (&changed)) {
            place = place_of (found, name);
            mr_deep_tell (self->deep, &place,
                          "the journal has %llu records of the batch, the spool %llu",
                          (ull)rows[i].received, (ull)records);
        }
        good += real && records == rows[i].received ? 1 : 0;
    }
    tell_rest (&missing, "are settled and in no spool");
    tell_rest (&changed, "have other counts in the spool than in the journal");
    return good;
}

static void
judge_strangers (const mr_deep_ingest_t *self, range_t range)
{
    tellings_t strangers = {.ingest = self};
    for (size_t i = 0; i < range.count; i++) {
        if (range.rows[i].seq > self->last_seq && !in_hole (self, range.rows[i].seq) &&
            tell_more (&strangers)) {
            char name[32];
            mr_deep_place_t place = place_of (&range.rows[i], name);
            mr_deep_tell (self->deep, &place,
                          "the journal does not know the batch; its last one is %llu",
                          (ull)self->last_seq);
        }
    }
    tell_rest (&strangers, "are in spools, and not in the journal");
}

/* What is under way has been journaled before. */
static void
judge_end (const mr_deep_ingest_t *self, mr_tally_t *tally)
{
    if (self->under_way <= self->last_seq) {
        return;
    }
    char name[32];
    snprintf (name, sizeof name, "ingest.%d.journal", self->slot);
    mr_deep_place_t place = {name, self->segment, self->read_to, self->id, self->last_seq + 1};
    tally->unknown = self->under_way;
    mr_deep_tell (self->deep, &place,
                  "the journal ends here, with batch %llu; batches up to %llu are under way: its "
                  "end was taken away",
                  (ull)self->last_seq, (ull)self->under_way);
}

static void
judge_gone (const mr_deep_ingest_t *self, mr_tally_t *tally)
{
    if (self->gone > 0) {
        mr_deep_place_t place = {.journal = self->id};
        tally->gone = self->gone;
        mr_deep_tell (
            self->deep, &place,
            "cannot be balanced: %llu batch%s of ingest.%d's journal %s damaged, and it is "
            "not known how many records %s held; ingest's log names %s",
            (ull)self->gone, self->gone == 1 ? "" : "es", self->slot,
            self->gone == 1 ? "was" : "were", self->gone == 1 ? "it" : "they",
            self->gone == 1 ? "it" : "them");
    }
}

/* Numbers that the journal has trimmed and no spool has. Only when the sums say that something is
 * amiss: numbers may have been skipped. */
static void
name_suspects (const mr_deep_ingest_t *self, range_t range, uint64_t from)
{
    const mr_deep_taken_t *taken = self->taken.rows;
    uint64_t next = from;
    tellings_t suspects = {.ingest = self};
    for (size_t i = 0; i <= range.count; i++) {
        bool last = i == range.count || range.rows[i].seq > self->watermark;
        uint64_t seq = last ? self->watermark + 1 : range.rows[i].seq;
        uint64_t end = self->taken.count > 0 && taken[0].seq < seq ? taken[0].seq + 1 : seq;
        if (next < end && tell_more (&suspects)) {
            mr_deep_place_t place = {.journal = self->id, .seq = next};
            mr_deep_tell (self->deep, &place,
                          "in no spool, and not in the journal any more: batches %llu to %llu",
                          (ull)next, (ull)(end - 1));
        }
        next = seq >= next ? seq + 1 : next;
        if (last) {
            break;
        }
    }
    tell_rest (&suspects, "are in no spool, and not in the journal any more");
}

/* Damage matters where nothing else vouches for the batches: those above the watermark. Returns how
 * many places do not. */
static uint64_t
judge_holes (const mr_deep_ingest_t *self)
{
    const mr_deep_hole_t *holes = self->holes.rows;
    uint64_t harmless = 0;
    for (size_t i = 0; i < self->holes.count; i++) {
        bool settled = holes[i].before != UINT64_MAX && holes[i].before <= self->watermark + 1;
        if (settled || holes[i].before == holes[i].after + 1) {
            harmless++;
        } else {
            self->deep->visitor->fault (self->deep->visitor->arg, &holes[i].fault);
        }
    }
    return harmless;
}

/* Returns how many batches there are. */
static uint64_t
add_settled (mr_tally_t *tally, range_t range)
{
    uint64_t batches = 0;
    for (; batches < range.count && range.rows[batches].seq <= tally->watermark; batches++) {
        tally->exported += range.rows[batches].exported;
        tally->filtered += range.rows[batches].filtered;
        tally->dead += range.rows[batches].dead;
    }
    tally->batches += batches;
    return batches;
}

static void
tell_difference (const mr_deep_ingest_t *self, const mr_tally_t *tally)
{
    uint64_t found = tally->exported + tally->filtered + tally->dead + tally->lost;
    bool less = found < tally->settled_in;
    mr_deep_place_t place = {.journal = self->id};
    mr_deep_tell (self->deep, &place,
                  "through batch %llu the journal received %llu records; exported %llu, filtered "
                  "%llu, dead %llu and lost %llu are %llu: %llu %s",
                  (ull)tally->watermark, (ull)tally->settled_in, (ull)tally->exported,
                  (ull)tally->filtered, (ull)tally->dead, (ull)tally->lost, (ull)found,
                  (ull)(less ? tally->settled_in - found : found - tally->settled_in),
                  less ? "are missing" : "too many");
}

static mr_status_t
judge_journal (mr_deep_t *deep, mr_deep_ingest_t *self)
{
    mr_spool_sum_t base = base_of (deep, self->id);
    range_t range = range_of (deep, self->id);
    uint64_t from = base.max_seq + 1;
    mr_deep_journal_t result = {.slot = self->slot, .from = from};
    mr_tally_t *tally = &result.tally;
    *tally = (mr_tally_t){
        .journal = self->id,
        .watermark = self->watermark,
        .top = self->top,
        .received = self->top_received,
        .exported = base.exported,
        .filtered = base.filtered,
        .dead = base.dead,
        .batches = base.batches,
        .lost = lost_through (self, self->watermark),
    };
    mr_status_t status = mr_deep_settled_in (self, &tally->settled_in);
    if (status != MR_OK) {
        return status;
    }
    result.batches = add_settled (tally, range);
    result.damaged = judge_holes (self);
    judge_doubles (self, range);
    result.compared = judge_batches (self, from);
    judge_strangers (self, range);
    if (!mr_tally_balanced (tally)) {
        tell_difference (self, tally);
        name_suspects (self, range, from);
    }
    judge_end (self, tally);
    judge_gone (self, tally);
    deep->visitor->journal (deep->visitor->arg, &result);
    return MR_OK;
}

mr_status_t
mr_deep_judge (mr_deep_t *self)
{
    mr_status_t status = MR_OK;
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        if (self->ingests[slot].id != 0) {
            status = judge_journal (self, &self->ingests[slot]);
        } else if (self->ingests[slot].has_window) {
            mr_deep_place_t nowhere = {.log = NULL};
            mr_deep_tell (self, &nowhere,
                          "ingest.%d has a window and no journal: put ingest.%d.journal back, "
                          "nothing proves its records without",
                          slot, slot);
        }
    }
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        if (self->exporters[slot].there) {
            self->visitor->spool (self->visitor->arg, &self->exporters[slot].seen);
        }
    }
    return status;
}
