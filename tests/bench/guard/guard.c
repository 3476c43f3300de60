/* guard STAGE DIR: run the reference work through the stages, one after the other, in one process,
 * and the hot path of one of them inside mr_guard_counted, for callgrind to count the instructions
 * of (--toggle-collect=mr_guard_counted*; guard.py does). Everything is run once before, so that
 * memory is there. DIR: an empty directory for journal, spool and output.
 *
 * Prints `records N` and, of the first batch, what came out, so that a run that did other work than
 * the last one shows. Exit 0; 1: something failed; 64: usage. */
#include "common/record/rows.h"
#include "common/record/scan.h"
#include "common/runtime/config.h"
#include "common/runtime/stage.h"
#include "common/wire/batch.h"
#include "stages/exporter/exporter.h"
#include "stages/exporter/sink.h"
#include "stages/ingest/intake.h"
#include "stages/metrics/metrics.h"
#include "stages/processor/processor.h"
#include "tests/bench/guard/skeleton.h"
#include "tests/bench/load/load.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUND_RECORDS = 4096, /* of each of the two rounds; the second is counted */
    RECORD_BYTES = 250,
    CHUNK_RECORDS = 256, /* of a message that a producer sends */
    USAGE = 64,
};

typedef enum part { INGEST, PROCESSOR, METRICS, EXPORTER, SINK, PARTS } part_t;

static const char *const names[PARTS] = {"ingest", "processor", "metrics", "exporter", "sink"};

/* The linger and the batch size do not depend on the clock here. */
static const char config_text[] = "[pipeline]\nrun_dir = run\ndata_dir = data\n"
                                  "[ingest]\nrouter = ipc://in\nlinger_ms = 60000\n"
                                  "[processor]\nparse = json\ndrop = level == \"debug\"\n"
                                  "set = env = \"prod\"\nrename = user -> user_id\n"
                                  "[metric requests]\ntype = counter\nby = service, level\n"
                                  "[metric latency]\ntype = histogram\nfield = latency_ms\n"
                                  "by = service\n"
                                  "[sink events]\ntype = file\npath = out.jsonl\n"
                                  "[monitor]\nhttp = off\n";

typedef struct guard {
    part_t counted;
    mr_config_t *config;
    char *records;
    mr_intake_t *intake;
    mr_stage_t *stages[PARTS];
    mr_guard_frames_t frames[PARTS]; /* what each stage passes on */
    mr_rows_t rows;
    mr_sink_t sink;
} guard_t;

typedef void run_fn (guard_t *self);

static void
require (mr_status_t status, const mr_error_t *err)
{
    if (status != MR_OK) {
        fprintf (stderr, "guard: %s\n", err->text);
        exit (EXIT_FAILURE);
    }
}

/* ---- the parts ---- */

/* As source_pull takes chunks of lines. */
static void
run_ingest (guard_t *self)
{
    const char *at = self->records;
    for (int record = 0; record < ROUND_RECORDS;) {
        for (int i = 0; i < CHUNK_RECORDS && mr_intake_ready (self->intake); i++, record++) {
            const char *end = memchr (at, '\n', RECORD_BYTES + 1);
            size_t bytes = (size_t)(end - at) + 1;
            mr_intake_record (self->intake, at, bytes);
            at += bytes;
        }
        mr_intake_turn_over (self->intake);
    }
}

static void
run_stage (guard_t *self, part_t part)
{
    const mr_guard_frames_t *input = &self->frames[part - 1];
    for (int i = 0; i < input->count; i++) {
        mr_guard_stage_take (self->stages[part], input->data[i], input->bytes[i]);
    }
}

static void
run_processor (guard_t *self)
{
    run_stage (self, PROCESSOR);
}

static void
run_metrics (guard_t *self)
{
    run_stage (self, METRICS);
}

static void
run_exporter (guard_t *self)
{
    run_stage (self, EXPORTER);
}

/* A sink's pump with the frames of the spool: read, made rows of, written. */
static void
run_sink (guard_t *self)
{
    mr_guard_frames_t *input = &self->frames[METRICS];
    mr_error_t err = {.text = ""};
    for (int i = 0; i < input->count; i++) {
        mr_batch_t batch;
        const char *lines;
        size_t bytes;
        uint32_t count;
        require (mr_batch_decode (input->data[i], input->bytes[i], &batch, &err), &err);
        require (mr_rows_make (&self->rows, &batch, &lines, &bytes, &count), &err);
        struct iovec piece = {.iov_base = (char *)(uintptr_t)lines, .iov_len = bytes};
        require (self->sink.write (self->sink.self, &piece, 1, &err), &err);
    }
}

static run_fn *const runs[PARTS] = {run_ingest, run_processor, run_metrics, run_exporter, run_sink};

/* Its name is what callgrind is told. */
__attribute__ ((noinline)) void mr_guard_counted (run_fn *run, guard_t *self);

void
mr_guard_counted (run_fn *run, guard_t *self)
{
    run (self);
}

/* ---- round ---- */

static void
make_records (guard_t *self, uint64_t first)
{
    char *to = self->records;
    for (uint64_t i = 0; i < ROUND_RECORDS; i++) {
        to += mr_load_record (first + i, RECORD_BYTES, mr_load_fixed_ts (first + i), to);
    }
}

static void
play_round (guard_t *self, bool counted)
{
    for (int part = 0; part < PARTS; part++) {
        if (counted && part == (int)self->counted) {
            mr_guard_counted (runs[part], self);
        } else {
            runs[part](self);
        }
    }
}

/* ---- life ---- */

static void
open_all (guard_t *self, const char *dir)
{
    mr_error_t err = {.text = ""};
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/guard.ini", dir);
    require (mr_config_load_text (config_text, strlen (config_text), path, &self->config, &err),
             &err);
    self->stages[INGEST] = mr_guard_stage_new ("ingest", NULL, self->config, &self->frames[INGEST]);
    require (mr_intake_new (self->stages[INGEST], &self->intake, &err), &err);
    self->stages[PROCESSOR] =
        mr_guard_stage_new ("processor", &mr_processor_ops, self->config, &self->frames[PROCESSOR]);
    self->stages[METRICS] =
        mr_guard_stage_new ("metrics", &mr_metrics_ops, self->config, &self->frames[METRICS]);
    self->stages[EXPORTER] = mr_guard_stage_new ("exporter", &mr_exporter_ops, self->config, NULL);
    require (mr_rows_init (&self->rows, MR_ROWS_RECORDS, NULL, false, &err), &err);
    snprintf (path, sizeof path, "%s/counted.jsonl", dir);
    require (mr_sink_file_new (path, &self->sink, &err), &err);
    mr_cursor_state_t start = {0};
    require (self->sink.open (self->sink.self, &start, true, &err), &err);
    self->records = malloc ((size_t)ROUND_RECORDS * (RECORD_BYTES + 1));
    if (self->records == NULL) {
        exit (EXIT_FAILURE);
    }
}

static void
close_all (guard_t *self)
{
    self->sink.destroy (self->sink.self);
    mr_rows_release (&self->rows);
    mr_intake_destroy (&self->intake);
    for (int part = 0; part <= EXPORTER; part++) {
        mr_guard_stage_destroy (&self->stages[part]);
        mr_guard_frames_release (&self->frames[part]);
    }
    mr_config_destroy (&self->config);
    free (self->records);
}

int
main (int argc, char **argv)
{
    static guard_t self;
    unsigned part = 0;
    while (argc == 3 && part < PARTS && strcmp (argv[1], names[part]) != 0) {
        part++;
    }
    if (argc != 3 || part == PARTS) {
        fprintf (stderr, "usage: guard ingest|processor|metrics|exporter|sink DIR\n");
        return USAGE;
    }
    self.counted = (part_t)part;
    open_all (&self, argv[2]);
    make_records (&self, 1);
    play_round (&self, false);
    for (int i = 0; i < PARTS; i++) {
        mr_guard_frames_release (&self.frames[i]);
    }
    make_records (&self, ROUND_RECORDS + 1);
    play_round (&self, true);
    uint64_t records = 0;
    for (int i = 0; i < self.frames[METRICS].count; i++) {
        mr_batch_t batch;
        mr_error_t err = {.text = ""};
        require (mr_batch_decode (self.frames[METRICS].data[i], self.frames[METRICS].bytes[i],
                                  &batch, &err),
                 &err);
        records += batch.received;
    }
    printf ("records %llu batches %d kernel %s\n", (unsigned long long)records,
            self.frames[METRICS].count, mr_scan_kernel ());
    close_all (&self);
    return EXIT_SUCCESS;
}
