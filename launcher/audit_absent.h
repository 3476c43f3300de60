/* audit_absent: journals that are gone, as the audit tells of them. */
#ifndef MR_LAUNCHER_AUDIT_ABSENT_H
#define MR_LAUNCHER_AUDIT_ABSENT_H

#include "common/base/status.h"

#include <jansson.h>
#include <stdbool.h>

enum { MR_AUDIT_ABSENT_TEXT_BYTES = 256 };

/* `absent_journals` of the audit's object: journal, worker (null: nobody knows), exported,
 * filtered, dead, unsettled (batches; null: nobody knows), balanced: nothing of it is missing.
 *   ret_rows  an array, owned
 * Returns as mr_absent_each. */
MR_CHECK mr_status_t mr_audit_absent (const char *data_dir, json_t **ret_rows, mr_error_t *err);

/* One of them in words. */
void mr_audit_absent_text (const json_t *row, char ret_text[MR_AUDIT_ABSENT_TEXT_BYTES]);

/* Print a line for each; with settled_only for those of which nothing is missing. */
void mr_audit_absent_print (const json_t *rows, bool settled_only);

#endif
