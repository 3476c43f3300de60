/* doctor: changes journals and spools that are at rest behind the back of whoever checks them, and
 * seals what was changed again, so that no checksum tells. Fails the test when there is no such
 * batch. `log` is a directory in the data directory, seq_word the word that holds a batch's seq. */
#ifndef MR_TESTS_SUPPORT_DOCTOR_H
#define MR_TESTS_SUPPORT_DOCTOR_H

#include "common/base/seglog_format.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* A segment in memory; who opened it frees bytes. */
typedef struct mr_doctored {
    char path[PATH_MAX + 32];
    char *bytes;
    size_t size;
    mr_seglog_segment_head_t head;
} mr_doctored_t;

/* The data directory for all calls; borrowed. */
void mr_doctor_data (const char *dir);

/* The segment that holds batch `seq`; the offset of its frame. */
size_t mr_doctor_open (mr_doctored_t *file, const char *log, int seq_word, uint64_t seq);

/* Add to a word of a batch's frame. */
void mr_doctor_word (const char *log, int seq_word, uint64_t seq, int word, int by);

/* Take a frame out and move what follows up, as if it had never been written; or the last frame of
 * the spool of a slot, with what vouched for it. */
void mr_doctor_remove (const char *log, int seq_word, uint64_t seq);
void mr_doctor_remove_last (int slot, uint64_t seq);

/* Flip a bit at this offset of a batch's frame and seal nothing; the frame's offset in its file. */
size_t mr_doctor_flip (const char *log, int seq_word, uint64_t seq, size_t offset);

/* Flip a bit of a batch's payload and seal the frame, so that the batch in it tells alone. */
void mr_doctor_payload (const char *log, int seq_word, uint64_t seq, size_t offset);

/* Add one to a u64 of what the segment of a batch begins with. */
void mr_doctor_snapshot (const char *log, int seq_word, uint64_t seq, size_t offset);

#endif
