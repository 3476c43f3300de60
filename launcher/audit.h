/* audit: what became of the records, from the files of all workers that ever ran on this
 * data directory, whether anything runs or not. */
#ifndef MR_LAUNCHER_AUDIT_H
#define MR_LAUNCHER_AUDIT_H

#include "common/base/status.h"
#include "common/runtime/config.h"

#include <jansson.h>

/* Look at journals, windows, spools and cursors (common/delivery/tally.h) and make the object of
 * `millrace audit --json` (received, exported, filtered, dead, dropped, in_flight, ahead, pending,
 * duplicates_refused, replayed, balanced, journals, journals_missing, absent_journals, sinks).
 * MR_AGAIN: what runs moves too fast to be caught; MR_INVALID, MR_SYSTEM: something cannot be read.
 *   config  the sinks that it does not have are `removed`: nothing waits for them, nor does their
 *           equation have to hold when retention has passed them; what they dropped counts on.
 *           NULL: unknown, all are taken for present */
MR_CHECK mr_status_t mr_audit_read (const char *data_dir, const mr_config_t *config,
                                    json_t **ret_audit, mr_error_t *err);

/* Read every byte of them and prove the equation batch by batch (common/delivery/deep.h), and the
 * files of sinks against the spools (deepsink.h). The object is that of `millrace audit --deep
 * --json`. config: NULL: unknown. As mr_audit_read. */
MR_CHECK mr_status_t mr_audit_read_deep (const char *data_dir, const mr_config_t *config,
                                         json_t **ret_audit, mr_error_t *err);
int mr_audit_print_deep (const json_t *audit);

/* Print it in words and numbers. Returns MR_EXIT_OK, or MR_EXIT_FAILED when it does not balance. */
int mr_audit_print (const json_t *audit);

#endif
