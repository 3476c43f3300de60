/* deadfile: the dead letters that exporters keep in DATA/dead/, and which of them were dealt with:
 * DATA/dead/handled holds "<id> removed" or "<id> replayed", a line each; it is only appended to,
 * so that the exporters' own files stay as they wrote them. Not thread safe. */
#ifndef MR_LAUNCHER_DEADFILE_H
#define MR_LAUNCHER_DEADFILE_H

#include "common/base/status.h"

#include <jansson.h>

typedef struct mr_deadfile mr_deadfile_t;

/* data_dir: copied. A missing DATA/dead is no dead letters. MR_SYSTEM. */
MR_CHECK mr_status_t mr_deadfile_open (const char *data_dir, mr_deadfile_t **ret_file,
                                       mr_error_t *err);
void mr_deadfile_close (mr_deadfile_t **self_p);

/* Letters that were not dealt with, in the order of their files; valid until close. row: the object
 * of README, "Dead letters". NULL beyond the last. */
json_t *mr_deadfile_row (const mr_deadfile_t *self, size_t i);
const char *mr_deadfile_id (const mr_deadfile_t *self, size_t i);

/* Index of the letter with this id; (size_t)-1: there is none. */
size_t mr_deadfile_find (const mr_deadfile_t *self, const char *id);

/* What was done with the letter of this id: "removed" or "replayed"; NULL: nothing is noted. */
const char *mr_deadfile_fate (const mr_deadfile_t *self, const char *id);

/* Note durably that a letter was dealt with. what: "removed" or "replayed". MR_OK; MR_INVALID: the
 * id is no exporter's (over 200 bytes); MR_SYSTEM. */
MR_CHECK mr_status_t mr_deadfile_handled (mr_deadfile_t *self, const char *id, const char *what,
                                          mr_error_t *err);

#endif
