#include "launcher/chaos/oracle.h"

#include "launcher/chaos/record.h"
#include "launcher/lines.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64 };

struct mr_oracle {
    size_t producers;
    uint64_t made[MR_ORACLE_PRODUCERS];
    uint64_t *seen[MR_ORACLE_PRODUCERS]; /* bit n: record n was found */
    mr_oracle_verdict_t verdict;
};

mr_oracle_t *
mr_oracle_new (const uint64_t *made, size_t producers)
{
    mr_oracle_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->producers = producers;
    for (size_t p = 0; p < producers; p++) {
        self->made[p] = made[p];
        self->verdict.made += made[p];
        self->seen[p] = calloc ((size_t)(made[p] / WORD_BITS + 1), sizeof *self->seen[p]);
        if (self->seen[p] == NULL) {
            mr_oracle_destroy (&self);
            return NULL;
        }
    }
    return self;
}

void
mr_oracle_destroy (mr_oracle_t **self_p)
{
    if (*self_p != NULL) {
        for (size_t p = 0; p < (*self_p)->producers; p++) {
            free ((*self_p)->seen[p]);
        }
        free (*self_p);
        *self_p = NULL;
    }
}

static void
note (mr_oracle_t *self, const char *what, uint64_t producer, uint64_t number)
{
    if (self->verdict.first[0] == '\0') {
        snprintf (self->verdict.first, sizeof self->verdict.first,
                  "record %" PRIu64 " of producer %" PRIu64 " %s", number, producer, what);
    }
}

static void
note_stranger (mr_oracle_t *self, const char *line, size_t bytes)
{
    self->verdict.strangers++;
    if (self->verdict.first[0] == '\0') {
        int shown = bytes < 64 ? (int)bytes : 64;
        snprintf (self->verdict.first, sizeof self->verdict.first, "nobody sent \"%.*s\"", shown,
                  line);
    }
}

/* One line or letter. Returns whose it is, -1: nobody's. */
static int
take (mr_oracle_t *self, const char *line, size_t bytes, bool dead)
{
    mr_chaos_record_t record;
    if (!mr_chaos_record_read (line, bytes, &record) || record.producer >= self->producers ||
        record.number == 0 || record.number > self->made[record.producer]) {
        note_stranger (self, line, bytes);
        return -1;
    }
    uint64_t at = record.number - 1;
    uint64_t *word = &self->seen[record.producer][at / WORD_BITS];
    uint64_t bit = UINT64_C (1) << at % WORD_BITS;
    if (*word & bit) {
        self->verdict.doubled++;
        note (self, "came twice", record.producer, record.number);
    }
    *word |= bit;
    if (mr_chaos_record_broken (record.number) != dead) {
        self->verdict.misplaced++;
        note (self, dead ? "is whole, and a dead letter" : "is broken, and in the sink",
              record.producer, record.number);
    }
    return (int)record.producer;
}

static void
take_row (void *arg, const char *line, size_t bytes)
{
    mr_oracle_t *self = arg;
    int producer = take (self, line, bytes, false);
    if (producer >= 0) {
        self->verdict.exported++;
        self->verdict.exported_of[producer]++;
    }
}

static void
take_letter (void *arg, const char *line, size_t bytes)
{
    mr_oracle_t *self = arg;
    json_t *row = json_loadb (line, bytes, JSON_ALLOW_NUL, NULL);
    const json_t *record = json_object_get (row, "record");
    if (!json_is_string (record)) {
        note_stranger (self, line, bytes);
    } else if (take (self, json_string_value (record), json_string_length (record), true) >= 0) {
        self->verdict.dead++;
    }
    json_decref (row);
}

mr_status_t
mr_oracle_read_sink (mr_oracle_t *self, const char *path, mr_error_t *err)
{
    return mr_lines_each (path, take_row, self, err);
}

mr_status_t
mr_oracle_read_dead (mr_oracle_t *self, const char *path, mr_error_t *err)
{
    return mr_lines_each (path, take_letter, self, err);
}

mr_oracle_verdict_t
mr_oracle_verdict (mr_oracle_t *self)
{
    mr_oracle_verdict_t verdict = self->verdict;
    for (size_t p = 0; p < self->producers; p++) {
        for (uint64_t at = 0; at < self->made[p]; at++) {
            if (!(self->seen[p][at / WORD_BITS] >> at % WORD_BITS & 1)) {
                verdict.lost++;
                note (self, "is nowhere", p, at + 1);
            }
        }
    }
    memcpy (verdict.first, self->verdict.first, sizeof verdict.first);
    return verdict;
}
