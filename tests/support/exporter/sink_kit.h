/* sink_kit: a file sink, and what a cursor would hold of it, in a folder of the test's own. What
 * fails fails the test. */
#ifndef MR_TESTS_SUPPORT_EXPORTER_SINK_KIT_H
#define MR_TESTS_SUPPORT_EXPORTER_SINK_KIT_H

#include "common/base/status.h"
#include "common/delivery/cursor.h"
#include "stages/exporter/sink.h"

typedef struct mr_held {
    mr_sink_t sink;
    mr_cursor_state_t committed;
} mr_held_t;

/* A new folder, its path static; paths (valid until the next call) and files are in it. */
const char *mr_held_folder (void);
const char *mr_held_path (const char *file);

/* Append to a file of the folder, as somebody else does. */
void mr_held_put (const char *file, const char *text);
void mr_held_assert (const char *file, const char *text);

/* make: not open yet; new: open. */
mr_held_t mr_held_make (const char *file);
mr_held_t mr_held_new (const char *file);
MR_CHECK mr_status_t mr_held_open (mr_held_t *held, mr_error_t *err);
void mr_held_close (mr_held_t *held);
void mr_held_destroy (mr_held_t *held);

/* As a life after kill -9: what was not committed is only in the file. */
void mr_held_start_over (mr_held_t *held);

/* write_only: not committed. */
MR_CHECK mr_status_t mr_held_try_write (mr_held_t *held, const char *lines, mr_error_t *err);
void mr_held_write_only (mr_held_t *held, const char *lines);
void mr_held_write (mr_held_t *held, const char *lines);

#endif
