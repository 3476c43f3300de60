/* collect: what comes out of one run of the steps: records that pass, with the places of watched
 * fields in them, and dead letters. Neighbours in the input that nobody changed are copied
 * together. Embedded (init/release). Private to the processor. */
#ifndef MR_STAGES_PROCESSOR_COLLECT_H
#define MR_STAGES_PROCESSOR_COLLECT_H

#include "common/base/buffer.h"
#include "common/record/path.h"
#include "stages/processor/edit.h"
#include "stages/processor/steps.h"

typedef struct mr_collect {
    mr_path_t *watched[MR_STEPS_MAX_WATCHED]; /* owned */
    uint32_t watched_count;
    mr_buffer_t out;
    const char *run; /* unchanged records of the input, due but not copied yet */
    const char *run_end;
    uint32_t out_bytes; /* of out and of the run */
    uint32_t *offsets;  /* capacity + 1 */
    uint32_t *origins;
    uint32_t *places; /* mr_steps_output_t.watched */
    mr_steps_dead_t *dead;
    uint32_t capacity; /* records; 0: the arrays must be made anew */
    uint32_t count;
    uint32_t dead_count;

    const mr_records_t *input;
    size_t room;       /* of the input; SIZE_MAX: no limit */
    size_t dead_bytes; /* of the rows so far, at most */
    bool whole_rows;   /* there is room for the bytes of every record that may fail */
} mr_collect_t;

void mr_collect_init (mr_collect_t *self);
void mr_collect_release (mr_collect_t *self);

/* Forget the last run and begin one over this input, borrowed until mr_collect_close. MR_SYSTEM. */
MR_CHECK mr_status_t mr_collect_open (mr_collect_t *self, const mr_steps_input_t *input);

/* Record `index` is left to others, who make a row of it. */
void mr_collect_skip (mr_collect_t *self, uint32_t index);

/* Pass on record `index`, as `edit` has it.
 *   borrowed  its text is the input's, which stays until mr_collect_close
 * MR_INVALID: the output would be too large; it was not taken. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_collect_pass (mr_collect_t *self, uint32_t index, mr_edit_t *edit,
                                      bool borrowed);

/* dead->index is set here. */
void mr_collect_bury (mr_collect_t *self, uint32_t index, const mr_steps_dead_t *dead);

/* Everything is in; ret_output->filtered is left alone. MR_SYSTEM. */
MR_CHECK mr_status_t mr_collect_close (mr_collect_t *self, mr_steps_output_t *ret_output);

#endif
