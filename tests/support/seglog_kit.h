/* seglog_kit: what the tests of the segment log share: numbered frames whose contents follow from
 * their number, and a reading of a whole log. Word 0 of a frame is its number, from 1. */
#ifndef MR_TESTS_SUPPORT_SEGLOG_KIT_H
#define MR_TESTS_SUPPORT_SEGLOG_KIT_H

#include "common/base/seglog.h"
#include "common/base/seglog_reader.h"

enum { MR_KIT_KIND = 7, MR_KIT_MAX = 4096 };

/* Small segments and every feature on; ops may be NULL. */
mr_seglog_options_t mr_kit_options (const char *dir, const mr_file_ops_t *ops);

/* Open, or fail the test with the error's text. */
mr_seglog_t *mr_kit_open (const mr_seglog_options_t *options);

/* The payload of frame `number`, `bytes` long, into `data`. */
void mr_kit_payload (uint64_t number, char *data, size_t bytes);

/* Append frame `number`. */
mr_status_t mr_kit_try (mr_seglog_t *log, uint64_t number, size_t bytes, uint64_t *ret_position);
uint64_t mr_kit_append (mr_seglog_t *log, uint64_t number, size_t bytes); /* must work */

/* Whether a frame is what mr_kit_try wrote. */
bool mr_kit_good (const mr_seglog_frame_t *frame);

/* A whole log as a reader finds it. */
typedef struct mr_kit_reading {
    uint64_t numbers[MR_KIT_MAX];
    uint64_t positions[MR_KIT_MAX];
    unsigned count;
    unsigned bad;     /* frames with contents other than their number says */
    unsigned damages; /* reports, trimming apart */
    uint64_t damaged_bytes;
    mr_seglog_damage_t last; /* report */
    mr_status_t status;      /* of opening the reader, or MR_AGAIN at the end */
} mr_kit_reading_t;

void mr_kit_read_all (const char *dir, const mr_file_ops_t *ops, uint64_t position,
                      mr_kit_reading_t *ret_reading);
/* The same with options of one's own; report and arg are set here. */
void mr_kit_read_with (const mr_seglog_reader_options_t *options, mr_kit_reading_t *ret_reading);

#endif
